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
import { compared, type Strategy, strategies } from './strategies.ts'

const help = `Usage: npm run bench:timeline -- [--posts <n>]

Fills a database of its own with posts over a year (default 1000000), and reads timelines from it with several
strategies: of readers who follow busy, mixed and silent authors, at the first page, the middle and near the end. The
strategies alternate. Times are in milliseconds: the median and the maximum. Exit code: 0 all strategies read the same
posts, 1 they did not.
`
const rounds = 15
const limit = 21
const halfYearMs = 365 * 43_200_000

const print = (line: string) => void process.stdout.write(`${line}\n`)
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
      '7,500: all kinds': [...busy, ...mixed.slice(0, 2_480), ...silent],
    }
    const middle = new UUID(v7({ msecs: Date.now() - halfYearMs }))
    const early = new UUID(v7({ msecs: Date.now() - 1.95 * halfYearMs }))
    const positions = { first: highestId, middle, 'near the end': early }
    const clearPlanCache = () => db.command({ planCacheClear: 'posts' })
    let same = true
    print(`${count.toLocaleString('en')} posts, pages of ${limit - 1}, ${rounds} rounds`)
    for (const planCache of ['warm', 'cold'] as const) {
      for (const [position, before] of Object.entries(positions)) {
        if (planCache === 'cold' && position !== 'first') continue
        print(`\n| ${position} page, ${planCache} plan cache | ${Object.keys(readers).join(' | ')} |`)
        print(
          `|---|${Object.keys(readers)
            .map(() => '---:|')
            .join('')}`,
        )
        const times = new Map<string, number[]>()
        // Readers alternate, so that each finds the plan that another has left in the cache.
        for (let round = 0; round < rounds; round += 1) {
          for (const [reader, followed] of Object.entries(readers)) {
            const seen = new Set<string>()
            for (const [name, strategy] of Object.entries(strategies)) {
              if (planCache === 'cold') await clearPlanCache()
              const { ms, page } = await measure(strategy, posts, followed, before)
              seen.add(page)
              const key = `${name}/${reader}`
              times.set(key, [...(times.get(key) ?? []), ms])
            }
            if (seen.size !== 1) same = false
          }
        }
        for (const name of Object.keys(strategies)) {
          const cells = Object.keys(readers).map((reader) => {
            const sorted = (times.get(`${name}/${reader}`) ?? []).toSorted((one, other) => one - other)
            return `${sorted[rounds >> 1]?.toFixed(1)} (${sorted.at(-1)?.toFixed(1)})`
          })
          print(`| ${name} | ${cells.join(' | ')} |`)
        }
        // Of the same round, so that whatever else the machine does affects both.
        const ratios = Object.keys(readers).map((reader) => {
          const before = times.get(`${compared.before}/${reader}`) ?? []
          const now = times.get(`${compared.now}/${reader}`) ?? []
          const sorted = now.map((ms, n) => ms / (before[n] ?? ms)).toSorted((one, other) => one - other)
          return sorted[rounds >> 1]?.toFixed(2)
        })
        print(`| now / before | ${ratios.join(' | ')} |`)
      }
    }
    print(same ? '\nAll strategies read the same posts.' : '\nThe strategies differ.')
    return same ? 0 : 1
  } finally {
    await client.close()
  }
}

async function measure(strategy: Strategy, posts: Parameters<Strategy>[0], authors: UUID[], before: UUID) {
  const startedAt = performance.now()
  const page = await strategy(posts, authors, before, limit)
  return { ms: performance.now() - startedAt, page: page.map((id) => id.toString('hex')).join() }
}
