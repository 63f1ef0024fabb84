import t from 'tap'
import { connectClient, type Purpose } from '../../src/database/connection.ts'
import { databaseUser } from '../../src/database/database-user.ts'
import { liveClient } from '../../src/database/live-client.ts'
import { freshDatabase } from '../helper.ts'
import { createUser } from '../services/users.ts'

type Opened = { purpose: Purpose; live: ReturnType<typeof liveClient> }

t.test('all clients of a process get a new database user, or none does', async (t) => {
  const [{ db, connection }, elsewhere] = [await freshDatabase(t), await freshDatabase(t)]
  await db.createCollection('things')
  const roles = [{ role: 'readWrite', db: db.databaseName }]
  const [one, other] = [await createUser(t, connection, roles), await createUser(t, connection, roles)]
  const open = async (purpose: Purpose, name = db.databaseName): Promise<Opened> => ({
    purpose,
    live: liveClient(await connectClient(connection, purpose), name),
  })
  const userOf = async ({ live }: Opened) => {
    const { authInfo } = await live.db.command({ connectionStatus: 1 })
    return authInfo.authenticatedUsers[0].user
  }
  const [requests, signals] = [await open('requests'), await open('signals')]
  const denied = await open('writer', elsewhere.db.databaseName)
  let replacements = 0

  const two = databaseUser([requests, signals], connection)
  two.onReplaced(() => {
    replacements += 1
  })
  t.same(await two.replace(one), { outcome: 'replaced' })
  t.same([await userOf(requests), await userOf(signals)], [one.username, one.username])
  t.equal(replacements, 1)

  const all = databaseUser([requests, denied, signals], connection)
  t.teardown(() => all.close())
  await t.rejects(all.replace(other), { name: 'StartError', message: /denies the user/ })
  t.same([await userOf(requests), await userOf(signals)], [one.username, one.username])
  t.equal(await userOf(denied), connection.username)
})

t.test('connections of each purpose are told apart by their appName', async (t) => {
  const { client, connection } = await freshDatabase(t)
  for (const purpose of ['requests', 'writer', 'signals', 'indexes'] as const) {
    const opened = await connectClient(connection, purpose)
    t.teardown(() => opened.close())
    const stages = [{ $currentOp: { idleConnections: true } }, { $match: { appName: `rookery ${purpose}` } }]
    t.ok((await client.db('admin').aggregate(stages).toArray()).length > 0)
  }
})
