import type { MongoClient } from 'mongodb'
import type { PostDocument } from '../../../src/posts/document.ts'
import { type Authors, fillPosts, newPost } from './data.ts'
import { median, middleAndWorst, timed } from './measure.ts'
import type { Mongod } from './mongod.ts'
import { newIndex, oldIndexes } from './ways.ts'

const rounds = 100
const batch = 500
const replies = [{ key: { replyTo: 1, _id: -1 }, partialFilterExpression: { replyTo: { $type: 'binData' } } }] as const

/** What the new index costs whoever writes: the same batches with it and without, by turns. */
export async function measureWrites(
  { client, cpu }: Pick<Mongod, 'client' | 'cpu'>,
  authors: Authors,
  count: number,
  say: (line: string) => void,
): Promise<void> {
  const without = await prepare(client, 'without', false, authors, count)
  const withIt = await prepare(client, 'with', true, authors, count)
  const results = { without: [] as number[], with: [] as number[], ofCpu: { without: 0, with: 0 } }
  const sides = [
    { name: 'without', posts: without },
    { name: 'with', posts: withIt },
  ] as const
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, posts } of round % 2 === 0 ? sides : sides.toReversed()) {
      const documents = Array.from({ length: batch }, () => newPost(1, Date.now(), authors))
      const before = await cpu()
      results[name].push((await timed(() => posts.insertMany(documents, { ordered: false }))).ms)
      results.ofCpu[name] += (await cpu()) - before
    }
  }
  const ratios = results.with.map((ms, n) => ms / (results.without[n] ?? Number.NaN))
  say(`Inserts of ${batch}, ${rounds} each way, on ${count.toLocaleString('en')} posts: ms, the median and the worst\n`)
  say(`without the index ${middleAndWorst(results.without)}, with it ${middleAndWorst(results.with)}`)
  say(`ratio of a pair, the median: ${median(ratios).toFixed(2)}`)
  say(`ratio of mongod's CPU in all: ${(results.ofCpu.with / results.ofCpu.without).toFixed(2)}\n`)
}

async function prepare(client: MongoClient, name: string, withIt: boolean, authors: Authors, count: number) {
  const db = client.db(name)
  const posts = db.collection<PostDocument>('posts')
  await posts.createIndexes([...oldIndexes, ...replies, ...(withIt ? [newIndex] : [])])
  await fillPosts(db, authors, count)
  return posts
}
