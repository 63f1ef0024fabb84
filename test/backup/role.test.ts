import { MongoClient } from 'mongodb'
import t from 'tap'
import { savedOf } from '../../src/backup/collections.ts'
import { collections } from '../../src/collections.ts'
import { clientOptions } from '../../src/database/connection.ts'
import { backupRole } from '../../src/service-roles.ts'
import { freshDatabase } from '../helper.ts'
import { createRoles, createUser } from '../services/users.ts'

t.test('the role rookery-backup reads what a backup holds and the data’s version, and nothing else', async (t) => {
  const { db, connection } = await freshDatabase(t)
  await createRoles(t, connection, db.databaseName)
  const user = await createUser(t, connection, [{ role: backupRole, db: db.databaseName }])
  const client = new MongoClient(connection.uri, clientOptions(user))
  await client.connect()
  t.teardown(() => client.close())
  const read = [...savedOf(collections), 'versions']
  for (const name of Object.keys(collections)) {
    const own = client.db(db.databaseName).collection(name)
    if (read.includes(name)) await t.resolves(own.find().toArray(), name)
    else await t.rejects(own.find().toArray(), { code: 13 }, name)
    await t.rejects(own.insertOne({}), { code: 13 }, name)
  }
})
