import type { UUID } from 'mongodb'
import type { PostDocument } from '../../../src/posts/document.ts'
import { add, median, type Samples, table } from './measure.ts'
import type { Mongod } from './mongod.ts'
import type { Readers } from './readers.ts'
import { type Way, ways } from './ways.ts'

const rounds = 5
const width = 16
/** How long one turn reads, in milliseconds. */
const turn = 500
const tried = ['100 mixed', '1,000 mixed', '1,000 silent', '1,000 lapsed', '5,000 mixed', '5,000 silent']
const left = ['d: hint {root, _id}', 'e1: one $in, hint {author, root, _id}']

/** Many at a time: what counts then is CPU, not how many can work for one reader. */
export async function measureLoad(
  { db, cpu }: Mongod,
  readers: Readers,
  before: UUID,
  say: (line: string) => void,
): Promise<void> {
  const posts = db.collection<PostDocument>('posts')

  async function run(way: Way, authors: UUID[]) {
    const began = performance.now()
    const own = process.cpuUsage()
    const cpuBefore = await cpu()
    let done = 0
    const read = async () => {
      for (; performance.now() - began < turn; done += 1) await way(posts, authors, before, 21)
    }
    await Promise.all(Array.from({ length: width }, read))
    const { user, system } = process.cpuUsage(own)
    return {
      perSecond: (done * 1_000) / (performance.now() - began),
      cpu: ((await cpu()) - cpuBefore) / done,
      ownCpu: (user + system) / 1_000 / done,
    }
  }

  const rates: Samples = new Map()
  const costs: Samples = new Map()
  for (let round = 0; round < rounds; round += 1) {
    for (const reader of tried) {
      for (const [name, way] of Object.entries(ways).filter(([name]) => !left.includes(name))) {
        const { perSecond, cpu: ofMongod, ownCpu } = await run(way, readers[reader] ?? [])
        add(rates, reader, name, perSecond)
        add(costs, reader, `${name}, mongod`, ofMongod)
        add(costs, reader, `${name}, Node`, ownCpu)
      }
    }
  }
  say(`${width} at a time: reads a second, the median of ${rounds} turns\n`)
  for (const line of table('reader', rates, (values) => median(values).toFixed(0))) say(line)
  say('CPU a read, ms\n')
  for (const line of table('reader', costs, (values) => median(values).toFixed(2))) say(line)
}
