import type { Db, UUID } from 'mongodb'
import { highestId, lowestId } from '../../../src/database/ids.ts'
import type { FollowDocument } from '../../../src/follows/document.ts'
import { followAll } from './data.ts'
import { add, examined, middleAndWorst, type Samples, table, timed } from './measure.ts'
import type { Readers } from './readers.ts'

const rounds = 40
const batchSize = 10_000

/** Whom somebody follows, by the index of `_id` alone and by {from, order}. */
export async function measureFollows(db: Db, readers: Readers, say: (line: string) => void): Promise<void> {
  const follows = db.collection<FollowDocument>('follows')
  await follows.createIndexes([{ key: { to: 1, order: -1 } }, { key: { from: 1, order: -1 } }])
  const accounts = new Map<string, UUID>()
  for (const [reader, authors] of Object.entries(readers)) {
    const account = await followAll(db, authors)
    if (reader.endsWith('mixed')) accounts.set(reader, account)
  }

  const reads: Record<string, (from: UUID) => Promise<unknown[]>> = {
    'range of _id, covered': (from) => {
      const range = { $gte: { from, to: lowestId }, $lte: { from, to: highestId } }
      return follows.find({ _id: range }, { projection: { _id: 1 }, batchSize }).toArray()
    },
    '{from, order}': (from) =>
      follows.find({ from }, { projection: { _id: 0, to: 1 }, batchSize, hint: { from: 1, order: -1 } }).toArray(),
  }
  const samples: Samples = new Map()
  for (let round = 0; round < rounds; round += 1) {
    for (const [reader, from] of accounts) {
      for (const [name, read] of Object.entries(reads)) add(samples, reader, name, (await timed(() => read(from))).ms)
    }
  }
  say(`Whom one follows: ms, the median and the worst of ${rounds}\n`)
  for (const line of table('reader', samples, middleAndWorst)) say(line)
  for (const [reader, from] of accounts) {
    for (const [name, read] of Object.entries(reads)) {
      say(`${reader}, ${name}, keys / documents: ${await examined(db, 'follows', () => read(from))}`)
    }
  }
  say('')
}
