// Run by the service `database-init` of compose.yaml at every `up`: makes mongod a one-node replica set and gives it
// the user the server logs in as. Each step looks first and changes only what is missing, so it may be run again at
// any time and after any interruption. Why it logs in the way it does: docs/decisions/0006-compose-database.md.
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { type Db, MongoClient, MongoServerError } from 'mongodb'

const deadline = performance.now() + 120_000
const alreadyInitialized = 23

const fail = (message: string): never => {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
const required = (name: string): string => process.env[name] || fail(`${name} is not set`)

const uri = required('MONGODB_URI')
const keyFile = required('MONGODB_KEY_FILE')
const username = process.env.DB_USER || 'rookery'
const password = required('DB_PASSWORD')

const { hosts, dbName, replicaSet = fail('MONGODB_URI names no replicaSet') } = new MongoClient(uri).options
const host = String(hosts[0])

/** What mongod calls itself: whoever holds the key file is a member of the cluster. White space does not count. */
async function asClusterMember<Result>(work: (admin: Db) => Promise<Result>): Promise<Result> {
  const key = (await readFile(keyFile, 'utf8')).replaceAll(/\s/g, '')
  const client = new MongoClient(`mongodb://${host}/`, {
    // A replica set that is not initiated yet has no primary to look for.
    directConnection: true,
    auth: { username: '__system', password: key },
    authSource: 'local',
    authMechanism: 'SCRAM-SHA-256',
    serverSelectionTimeoutMS: 2_000,
  })
  try {
    return await work(client.db('admin'))
  } finally {
    await client.close()
  }
}

/** @throws Error when the time is over: a set that was made for another host, for one, never takes writes. */
async function becomePrimary(admin: Db): Promise<void> {
  for (;;) {
    if (performance.now() > deadline) throw new Error('its replica set takes no writes')
    const hello = await admin.command({ hello: 1 })
    if (hello.isWritablePrimary) return
    if (!hello.setName) {
      const config = { _id: replicaSet, members: [{ _id: 0, host }] }
      await admin.command({ replSetInitiate: config }).catch((error: unknown) => {
        if (!(error instanceof MongoServerError && error.code === alreadyInitialized)) throw error
      })
    }
    await wait(200)
  }
}

/** DB_PASSWORD is what counts: a changed one is changed here too. */
async function keepUser(admin: Db): Promise<void> {
  const { users } = await admin.command({ usersInfo: { user: username, db: 'admin' } })
  await admin.command({
    [users.length > 0 ? 'updateUser' : 'createUser']: username,
    pwd: password,
    // Collections, indexes, documents and change streams of one database, and nothing else.
    roles: [{ role: 'readWrite', db: dbName }],
    mechanisms: ['SCRAM-SHA-256'],
    writeConcern: { w: 'majority' },
  })
}

/** The same way in that the server takes. */
async function logInAsTheServer(): Promise<void> {
  const auth = { username, password }
  const client = new MongoClient(uri, { auth, authSource: 'admin', serverSelectionTimeoutMS: 5_000 })
  try {
    await client.db(dbName).listCollections().toArray()
  } finally {
    await client.close()
  }
}

for (;;) {
  try {
    await asClusterMember(async (admin) => {
      await becomePrimary(admin)
      await keepUser(admin)
    })
    await logInAsTheServer()
    break
  } catch (error) {
    // A mongod that is still starting, a key file not made yet, an election: all of them pass.
    const reason = error instanceof Error ? error.message : String(error)
    if (performance.now() > deadline) fail(`MongoDB at ${host} could not be made ready: ${reason}`)
    await wait(500)
  }
}
process.stdout.write(`MongoDB at ${host} is ready: replica set ${replicaSet}, user ${username} of database ${dbName}\n`)
