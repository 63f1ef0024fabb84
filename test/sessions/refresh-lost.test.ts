import { MongoClient } from 'mongodb'
import t from 'tap'
import { clientOptions } from '../../src/database/connection.ts'
import { newId } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { tokenRotation } from '../../src/sessions/refresh.ts'
import { revocationCache } from '../../src/sessions/revocation-cache.ts'
import { sessionStore } from '../../src/sessions/store.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase } from '../helper.ts'

t.test('a rotation whose reply is lost with the only server: OutcomeUnknownError', async (t) => {
  const { db, client, connection } = await freshDatabase(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  const options = { ...clientOptions(connection, 'requests'), serverSelectionTimeoutMS: 500, monitorCommands: true }
  const cut = await new MongoClient(proxy.uri(db.databaseName), options).connect()
  t.teardown(() => cut.close())
  const sessions = sessionStore(db, revocationCache(db))
  const device = { ip: '192.0.2.1', userAgent: 'test' }
  const { token } = await transactor(client)((session) => sessions.create(newId(), device, session))
  const storedTurn = async () => String((await db.collection('sessions').findOne())?.turn)
  const before = await storedTurn()

  proxy.cut({ command: 'findAndModify', when: 'answered', times: 1 })
  // Before the driver sends it again.
  cut.once('commandFailed', () => proxy.disconnect())
  const rotated = tokenRotation(cut.db(db.databaseName)).refresh([token], performance.now() + 4_500)
  await t.rejects(rotated, { name: 'OutcomeUnknownError' })
  t.not(await storedTurn(), before, 'the token was replaced')
})
