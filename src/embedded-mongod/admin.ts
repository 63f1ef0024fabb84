import { setTimeout as delay } from 'node:timers/promises'
import { type Db, MongoClient, MongoServerError } from 'mongodb'

export const replicaSetName = 'rookery'

/** The database that a connection string without one means: see database/connection.ts. */
const databaseName = 'rookery'
/** Documents, indexes, transactions, change streams and drops in one database; no other, no users and no cluster. */
const roles = ['readWrite', 'dbAdmin'].map((role) => ({ role, db: databaseName }))
const errorCodes = { wrongPassword: 18, alreadyInitialized: 23, notYetInitialized: 94, userExists: 51_003 }

/**
 * Connects as MongoDB's internal user, whose password is the key file: no administrator's password has to be stored.
 * @param timeoutMs of the connection, not of `work`
 */
export async function withAdmin<Value>(
  host: string,
  key: string,
  timeoutMs: number,
  work: (admin: Db) => Promise<Value>,
): Promise<Value> {
  const client = new MongoClient(`mongodb://${host}/?directConnection=true`, {
    auth: { username: '__system', password: key },
    authSource: 'local',
    authMechanism: 'SCRAM-SHA-256',
    serverSelectionTimeoutMS: timeoutMs,
    connectTimeoutMS: timeoutMs,
    maxPoolSize: 1,
  })
  try {
    await client.connect()
    return await work(client.db('admin'))
  } finally {
    await client.close()
  }
}

/** Makes the node primary of its replica set, as the only member, under its current port. @throws Error on timeout */
export async function ensurePrimary(admin: Db, port: number, timeoutMs: number): Promise<void> {
  const host = `127.0.0.1:${port}`
  const deadline = Date.now() + timeoutMs
  while (!(await ensureReplicaSetHost(admin, host)) && Date.now() < deadline) await delay(20)
  while (Date.now() < deadline) {
    const hello = await admin.command({ hello: 1 })
    if (hello.isWritablePrimary && hello.me === host) return
    await delay(20)
  }
  throw new Error(`mongod did not become primary within ${timeoutMs / 1_000} s`)
}

async function ensureReplicaSetHost(admin: Db, host: string): Promise<boolean> {
  try {
    const { config } = await admin.command({ replSetGetConfig: 1 })
    if (config.members[0].host === host) return true
    const moved = { ...config, version: config.version + 1, members: [{ ...config.members[0], host }] }
    // Forced: a node that is not in its own configuration has no primary to ask. A single node cannot diverge.
    await admin.command({ replSetReconfig: moved, force: true })
    return true
  } catch (error) {
    if (!hasCode(error, errorCodes.notYetInitialized)) return false
    await initiateReplicaSet(admin, replicaSetName, host)
    return false
  }
}

export async function initiateReplicaSet(admin: Db, name: string, ...hosts: string[]): Promise<void> {
  const config = { _id: name, members: hosts.map((host, _id) => ({ _id, host })) }
  await admin.command({ replSetInitiate: config }).catch((error: unknown) => {
    if (!hasCode(error, errorCodes.alreadyInitialized)) throw error
  })
}

/** The release series whose data format is in use, such as `6.0`: possibly older than the mongod (its FCV). */
export async function readDataSeries(admin: Db): Promise<string> {
  const answer = await admin.command({ getParameter: 1, featureCompatibilityVersion: 1 })
  return answer.featureCompatibilityVersion.version
}

/** Lets a user work in every database, for tests and benchmarks that take databases of their own. */
export async function grantEveryDatabase(admin: Db, username: string): Promise<void> {
  await admin.command({ grantRolesToUser: username, roles: ['readWriteAnyDatabase', 'dbAdminAnyDatabase'] })
}

export async function ensureUser(admin: Db, port: number, username: string, password: string): Promise<void> {
  const { users } = await admin.command({ usersInfo: username })
  if (users.length === 0) {
    await admin.command({ createUser: username, pwd: password, roles })
  } else if (!hasThoseRoles(users[0].roles) || !(await canLogIn(port, username, password))) {
    await admin.command({ updateUser: username, pwd: password, roles })
  }
}

/** An earlier version gave the user rights on every database. */
function hasThoseRoles(present: { role: string; db: string }[]): boolean {
  const isGranted = ({ role, db }: { role: string; db: string }) =>
    present.some((entry) => entry.role === role && entry.db === db)
  return present.length === roles.length && roles.every(isGranted)
}

async function canLogIn(port: number, username: string, password: string): Promise<boolean> {
  const uri = `mongodb://127.0.0.1:${port}/?directConnection=true`
  const client = new MongoClient(uri, { auth: { username, password }, serverSelectionTimeoutMS: 5_000 })
  try {
    await client.connect()
    return true
  } catch (error) {
    if (hasCode(error, errorCodes.wrongPassword)) return false
    throw error
  } finally {
    await client.close()
  }
}

function hasCode(error: unknown, wanted: number): boolean {
  return error instanceof MongoServerError && error.code === wanted
}
