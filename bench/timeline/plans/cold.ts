import type { UUID } from 'mongodb'
import type { PostDocument } from '../../../src/posts/document.ts'
import { add, middleAndWorst, type Samples, table, timed } from './measure.ts'
import type { Mongod } from './mongod.ts'
import type { Readers } from './readers.ts'
import { unhinted, type Way, ways } from './ways.ts'

const rounds = 5
const tried = ['1,000 mixed', '1,000 silent', '1,000 lapsed', '5,000 mixed']
const all: Record<string, Way> = { 'b: one $in': unhinted, ...ways }
const left = ['d: hint {root, _id}', 'e3: 200 of everybody, then e2', 'e4: c2 to 200 authors, e2 above']

/** The first read after a start of mongod, whose own cache is empty then; that of the system is not. */
export async function measureCold(
  start: () => Promise<Mongod>,
  readers: Readers,
  before: UUID,
  say: (line: string) => void,
): Promise<void> {
  const samples: Samples = new Map()
  for (let round = 0; round < rounds; round += 1) {
    for (const reader of tried) {
      for (const [name, way] of Object.entries(all).filter(([name]) => !left.includes(name))) {
        const { client, db } = await start()
        await client.connect()
        await db.command({ ping: 1 })
        const posts = db.collection<PostDocument>('posts')
        const { ms } = await timed(() => way(posts, readers[reader] ?? [], before, 21))
        add(samples, reader, name, ms)
      }
    }
  }
  say(`First page after a start, limit 20: ms, the median and the worst of ${rounds}\n`)
  for (const line of table('reader', samples, middleAndWorst)) say(line)
}
