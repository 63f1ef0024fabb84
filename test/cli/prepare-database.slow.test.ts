import { randomBytes } from 'node:crypto'
import t from 'tap'
import { freshDatabase } from '../helper.ts'
import { asAdmin } from '../services/users.ts'
import { startCommand } from './start-command.ts'

t.test('prepare-database gives the server’s user the role rookery, and can be repeated', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const { databaseName } = db
  const username = `user_${randomBytes(6).toString('hex')}`
  const env = {
    MONGODB_URI: connection.uri,
    MONGODB_KEY_FILE: process.env.TEST_MONGOD_KEY_FILE,
    DB_USER: username,
    DB_PASSWORD: randomBytes(12).toString('hex'),
  }
  t.teardown(() =>
    asAdmin(connection, async (admin) => {
      await admin.command({ dropUser: username })
      await admin.client.db(databaseName).command({ dropAllRolesFromDatabase: 1 })
    }),
  )
  for (let n = 0; n < 2; n += 1)
    t.match(await startCommand(t, 'cli/prepare-database.ts', env).ended, { code: 0, out: /is ready/, error: '' })
  const { users } = await asAdmin(connection, (admin) => admin.command({ usersInfo: { user: username, db: 'admin' } }))
  t.same(users[0].roles, [{ role: 'rookery', db: databaseName }])
})
