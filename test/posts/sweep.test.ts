import type { Db, UUID } from 'mongodb'
import { pino } from 'pino'
import t from 'tap'
import { v7 } from 'uuid'
import { buildApp } from '../../src/app.ts'
import { toUuid } from '../../src/database/ids.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, makeClient, signUp, testConfig, testServer } from '../helper.ts'

type Key = { _id: { post: UUID; account: UUID } }

/** Seeds reactions by accounts that do not exist. */
async function seedReactions(db: Db, post: UUID, count: number) {
  const documents = Array.from({ length: count }, () => {
    const account = toUuid(v7())
    return { _id: { post, account }, post, account, value: 'like', order: toUuid(v7()) }
  })
  await db.collection<Key>('reactions').insertMany(documents)
}

const reactionsOf = (db: Db, post: UUID) => db.collection('reactions').countDocuments({ post })
const unsweptTombstones = (db: Db) => db.collection('removedPosts').countDocuments({ sweptAt: { $exists: false } })

const untilSwept = (db: Db) => eventually(async () => (await unsweptTombstones(db)) === 0)

t.test('the sweep of a deleted post deletes its 1,500 reactions and no others', async (t) => {
  const { url, db } = await testServer(t)
  const ann = await signUp(url)
  const [doomed, kept] = await Promise.all(
    ['doomed', 'kept'].map(async (text) => {
      const { id } = (await ann.client.post<{ id: string }>('v1/posts', { json: { text } })).body
      return { id, uuid: toUuid(id) }
    }),
  )
  if (!doomed || !kept) throw new Error('no posts')
  await seedReactions(db, doomed.uuid, 1_500)
  await seedReactions(db, kept.uuid, 20)
  t.equal((await ann.client.delete(`v1/posts/${doomed.id}`)).statusCode, 204)
  t.equal((await makeClient(url).get(`v1/posts/${doomed.id}/reactions`)).statusCode, 404, 'hidden at once')
  await untilSwept(db)
  t.equal(await unsweptTombstones(db), 0)
  t.equal(await reactionsOf(db, doomed.uuid), 0)
  t.equal(await reactionsOf(db, kept.uuid), 20)
})

t.test('a start sweeps the tombstones that a crash left', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const [one, other] = [toUuid(v7()), toUuid(v7())]
  await seedReactions(db, one, 600)
  await seedReactions(db, other, 3)
  await db
    .collection<{ _id: UUID; removal: UUID }>('removedPosts')
    .insertMany([one, other, toUuid(v7())].map((_id) => ({ _id, removal: toUuid(v7()) })))
  const app = await buildApp(await testConfig(connection), connection, pino({ level: 'silent' }))
  t.teardown(() => app.close())
  await app.ready()
  await untilSwept(db)
  t.equal(await unsweptTombstones(db), 0)
  t.equal(await db.collection('reactions').countDocuments(), 0)
})

t.test('a server that closes during a sweep leaves the rest to the next, which two servers can share', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const posts = Array.from({ length: 30 }, () => toUuid(v7()))
  for (const post of posts) await seedReactions(db, post, 400)
  await db
    .collection<{ _id: UUID; removal: UUID }>('removedPosts')
    .insertMany(posts.map((_id) => ({ _id, removal: toUuid(v7()) })))
  const config = await testConfig(connection)
  const start = async () => {
    const app = await buildApp(config, connection, pino({ level: 'silent' }))
    await app.ready()
    return app
  }
  const first = await start()
  await first.close()
  const left = await unsweptTombstones(db)
  const reactions = await db.collection('reactions').countDocuments()
  t.ok(left > 0, `${left} tombstones and ${reactions} reactions are left`)
  t.ok(reactions <= left * 400, 'no tombstone was marked as swept before its reactions were deleted')
  const apps = await Promise.all([start(), start()])
  await untilSwept(db)
  t.equal(await db.collection('reactions').countDocuments(), 0, 'two servers share the sweep')
  await Promise.all(apps.map((app) => app.close()))
})
