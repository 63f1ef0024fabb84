import { parseArgs } from 'node:util'
import { MongoClient, UUID } from 'mongodb'
import { v7 } from 'uuid'
import { collections } from '../../src/collections.ts'
import { type Connection, clientOptions } from '../../src/database/connection.ts'
import { highestId } from '../../src/database/ids.ts'
import { ensureIndexes } from '../../src/database/indexes.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { withMongod } from '../mongod.ts'
import { fillPosts, newAuthors } from './fill.ts'
import { type Way, ways } from './ways.ts'

const help = `Usage: npm run bench:timeline -- [--posts <n>]

Fills a database of its own with posts over a year (default 1000000), and reads timelines from it in several ways: of
people who follow busy, mixed and silent authors, from the first page to the last. Each way reads the same by turns.
Times are in milliseconds: the median, and the worst. Exit code: 0 all ways read the same, 1 they did not.
`
const rounds = 15
const limit = 21
const half = 365 * 43_200_000

const say = (line: string) => void process.stdout.write(`${line}\n`)
const { values } = parseArgs({ options: { posts: { type: 'string' }, help: { type: 'boolean' } } })
if (values.help) process.stdout.write(help)
else process.exitCode = await withMongod((connection) => bench(connection, Number(values.posts ?? 1_000_000)))

async function bench(connection: Connection, count: number): Promise<number> {
  const client = await new MongoClient(connection.uri, clientOptions(connection)).connect()
  try {
    const db = client.db('rookery')
    await ensureIndexes(db, collections)
    const authors = newAuthors()
    await fillPosts(db, authors, count)
    const posts = db.collection<PostDocument>('posts')

    const { busy, mixed, silent, replying, lapsed } = authors
    const readers: Record<string, UUID[]> = {
      '10 mixed': mixed.slice(-10),
      '1,000: 20 busy, mixed': [...busy, ...mixed.slice(0, 980)],
      '1,000 mixed, the rarest': mixed.slice(-1_000),
      '1,000 silent': silent.slice(0, 1_000),
      '1,000 who only reply': replying,
      '1,000 silent for half a year': lapsed,
      '5,000: silent, one mixed': [...silent.slice(0, 4_999), ...mixed.slice(-1)],
    }
    const middle = new UUID(v7({ msecs: Date.now() - half }))
    const early = new UUID(v7({ msecs: Date.now() - 1.95 * half }))
    const places = { first: highestId, middle, 'near the end': early }
    const cold = () => db.command({ planCacheClear: 'posts' })
    let right = true
    say(`${count.toLocaleString('en')} posts, pages of ${limit - 1}, ${rounds} rounds`)
    for (const plan of ['warm', 'cold plan'] as const) {
      for (const [place, before] of Object.entries(places)) {
        if (plan === 'cold plan' && place !== 'first') continue
        say(`\n| ${place} page, ${plan} | ${Object.keys(readers).join(' | ')} |`)
        say(
          `|---|${Object.keys(readers)
            .map(() => '---:|')
            .join('')}`,
        )
        const times = new Map<string, number[]>()
        // All readers by turns, so that each finds the plan that another has left in the cache.
        for (let round = 0; round < rounds; round += 1) {
          for (const [reader, followed] of Object.entries(readers)) {
            const seen = new Set<string>()
            for (const [name, way] of Object.entries(ways)) {
              if (plan === 'cold plan') await cold()
              const { ms, page } = await timed(way, posts, followed, before)
              seen.add(page)
              const key = `${name}/${reader}`
              times.set(key, [...(times.get(key) ?? []), ms])
            }
            if (seen.size !== 1) right = false
          }
        }
        for (const name of Object.keys(ways)) {
          const cells = Object.keys(readers).map((reader) => {
            const sorted = (times.get(`${name}/${reader}`) ?? []).toSorted((one, other) => one - other)
            return `${sorted[rounds >> 1]?.toFixed(1)} (${sorted.at(-1)?.toFixed(1)})`
          })
          say(`| ${name} | ${cells.join(' | ')} |`)
        }
      }
    }
    say(right ? '\nAll ways read the same.' : '\nThe ways differ.')
    return right ? 0 : 1
  } finally {
    await client.close()
  }
}

async function timed(way: Way, posts: Parameters<Way>[0], authors: UUID[], before: UUID) {
  const began = performance.now()
  const page = await way(posts, authors, before, limit)
  return { ms: performance.now() - began, page: page.map((id) => id.toString('hex')).join() }
}
