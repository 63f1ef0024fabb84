import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { collections, views } from '../../src/collections.ts'
import { freshDatabase, testConfig } from '../helper.ts'
import { passkeyEnv } from '../passkeys/ceremonies.ts'
import { useEveryRoute } from '../services/every-route.ts'
import { createRuntimeUser } from '../services/users.ts'
import { external, startCommand } from './start-command.ts'

t.test('npm run indexes', { timeout: 120_000 }, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const indexes = (env = {}) => startCommand(t, 'cli/indexes.ts', { ...external(connection), ...env }).ended
  const done = `The database ${db.databaseName} has all collections, views and indexes.\n`

  t.test('builds what does not exist, says what it builds, and nothing the next time', async (t) => {
    const first = await indexes()
    t.match(first, { code: 0, error: '' })
    t.match(first.out, /^reactions: building \{.*\}, \{.*\}$/m)
    t.match(first.out, /^reactions: built in \d+\.\d s$/m)
    const names = (await db.listCollections().toArray()).map(({ name }) => name)
    t.same(names.sort(), [...Object.keys({ ...collections, ...views }), 'system.views'].sort())
    t.same(await indexes(), { code: 0, out: done, error: '' })
    await db.collection('posts').dropIndex('author_1__id_-1')
    const again = await indexes()
    t.match(again.out, /^posts: building \{"author":1,"_id":-1\}\nposts: built in \S+ s\n/)
  })

  t.test('then a user that must not create indexes is enough for every route', async (t) => {
    const user = await createRuntimeUser(t, connection, db.databaseName)
    const app = await buildApp(await testConfig(user, passkeyEnv), user, pino({ level: 'silent' }))
    t.teardown(() => app.close())
    await useEveryRoute(t, await app.listen({ host: '127.0.0.1', port: 0 }))
  })

  t.test('each fault has its sentence and exit code', async (t) => {
    await db.collection('posts').dropIndex('author_1__id_-1')
    await db.collection('posts').createIndex({ author: 1, _id: -1 }, { unique: true })
    t.match(await indexes(), {
      code: 78,
      error: /^The index \{"author":1,"_id":-1\} of the collection posts cannot be /,
    })
    t.match(await indexes({ DB_PASSWORD: 'wrong' }), { code: 78, out: '', error: /refuses the user/ })
    await db
      .collection<{ _id: string; version: number }>('versions')
      .updateOne({ _id: 'data' }, { $set: { version: 9 } }, { upsert: true })
    t.match(await indexes(), { code: 78, out: '', error: /has version 9, and this program is older/ })
  })
})
