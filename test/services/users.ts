import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Db } from 'mongodb'
import type { Test } from 'tap'
import { usesOf } from '../../src/collections.ts'
import type { Connection } from '../../src/database/connection.ts'
import { withAdmin } from '../../src/embedded-mongod/admin.ts'
import { createServiceRoles } from '../../src/service-roles.ts'
import { serviceNames } from '../../src/services.ts'

/** Connects to the mongod of this test run as its administrator. */
export async function asAdmin<Value>({ uri }: Pick<Connection, 'uri'>, work: (admin: Db) => Promise<Value>) {
  const { TEST_MONGOD_KEY_FILE = '' } = process.env
  const key = (await readFile(TEST_MONGOD_KEY_FILE, 'utf8')).trim()
  return withAdmin(new URL(uri).host, key, 5_000, work)
}

/** Creates the services' roles in a database, until the end of the test. */
export async function createRoles(t: Test, { uri }: Pick<Connection, 'uri'>, database: string): Promise<void> {
  await asAdmin({ uri }, (admin) => createServiceRoles(admin, database))
  t.teardown(() => asAdmin({ uri }, (admin) => admin.client.db(database).command({ dropAllRolesFromDatabase: 1 })))
}

/** Creates a user with these roles and no other, until the end of the test. */
export async function createUser(
  t: Test,
  { uri }: Pick<Connection, 'uri'>,
  roles: { role: string; db: string }[],
): Promise<Connection> {
  const username = `user_${randomBytes(6).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  await asAdmin({ uri }, (admin) => admin.command({ createUser: username, pwd: password, roles }))
  t.teardown(() => asAdmin({ uri }, (admin) => admin.command({ dropUser: username })))
  return { uri, username, password }
}

/** Creates a user that may do what a running server does, and that must not create collections and indexes. */
export async function createRuntimeUser(t: Test, connection: Pick<Connection, 'uri'>, database: string) {
  const role = `runtime_${randomBytes(6).toString('hex')}`
  const privileges = Object.entries(usesOf(serviceNames)).map(([collection, actions]) => ({
    resource: { db: database, collection },
    actions: [...actions.filter((action) => action !== 'createCollection'), 'listIndexes'],
  }))
  const ofDatabase = { resource: { db: database, collection: '' }, actions: ['listCollections'] }
  await asAdmin(connection, (admin) =>
    admin.client.db(database).command({ createRole: role, privileges: [ofDatabase, ...privileges], roles: [] }),
  )
  t.teardown(() => asAdmin(connection, (admin) => admin.client.db(database).command({ dropRole: role })))
  return createUser(t, connection, [{ role, db: database }])
}
