import { type CommandStartedEvent, MongoClient, UUID } from 'mongodb'
import { pino } from 'pino'
import t from 'tap'
import { type Change, changeFeed } from '../../src/stream/change-feed.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase } from '../helper.ts'

t.test('a feed that is behind reads a thousand changes at a time, and all in the order of commits', async (t) => {
  const { db, connection } = await freshDatabase(t)
  await db.createCollection('posts')
  const ids = Array.from({ length: 3_500 }, () => new UUID())
  await db.collection<{ _id: UUID }>('posts').insertMany(ids.map((_id) => ({ _id })))

  const { uri, username, password } = connection
  const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin', monitorCommands: true })
  t.teardown(() => client.close())
  const sizes: unknown[] = []
  client.on('commandStarted', ({ command }: CommandStartedEvent) => {
    if (command.getMore !== undefined) sizes.push(command.batchSize)
    else if (command.aggregate === 'posts') sizes.push(command.cursor.batchSize)
  })
  const received: Change[] = []
  const listener = {
    begin: () => undefined,
    async receive(changes: readonly Change[]) {
      received.push(...changes)
    },
  }
  const feed = changeFeed(client.db(db.databaseName), listener, pino({ level: 'silent' }), () => false)
  t.teardown(() => feed.close())
  await eventually(() => received.length >= ids.length)
  t.same(
    received.map(({ post }) => post),
    ids.map((id) => id.toString()),
  )
  t.ok(sizes.length >= 4, 'the first batch, and further ones')
  t.same(new Set(sizes), new Set([1_000]))
})
