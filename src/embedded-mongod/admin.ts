import { setTimeout as delay } from 'node:timers/promises'
import { type Db, MongoClient, MongoServerError } from 'mongodb'

export const replicaSetName = 'rookery'

/** Enough for any database of any name: documents, indexes, transactions, change streams, dropping; no users, no cluster. */
const roles = ['readWriteAnyDatabase', 'dbAdminAnyDatabase']
const errorCodes = { wrongPassword: 18, alreadyInitialized: 23, notYetInitialized: 94, userExists: 51_003 }

/**
 * Connects as MongoDB's internal user, whose password is the key file: whoever can read DATA_DIR gets in, with no
 * stored password to lose. It is not used for anything but setting up.
 * @param timeoutMs how long to wait for an answer, in milliseconds
 */
export async function withAdmin<Value>(
  port: number,
  key: string,
  timeoutMs: number,
  work: (admin: Db) => Promise<Value>,
): Promise<Value> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
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

/**
 * Makes the node the only one of its replica set, under its present port, and waits until it takes writes.
 * @throws Error after the given time, in milliseconds
 */
export async function ensurePrimary(admin: Db, port: number, timeoutMs: number): Promise<void> {
  const host = `127.0.0.1:${port}`
  const deadline = Date.now() + timeoutMs
  while (!(await ensureReplicaSetHost(admin, host)) && Date.now() < deadline) await delay(20)
  while (Date.now() < deadline) {
    const hello = await admin.command({ hello: 1 })
    if (hello.isWritablePrimary && hello.me === host) return
    await delay(20)
  }
  throw new Error(`mongod took no writes within ${timeoutMs / 1_000} s`)
}

async function ensureReplicaSetHost(admin: Db, host: string): Promise<boolean> {
  try {
    const { config } = await admin.command({ replSetGetConfig: 1 })
    if (config.members[0].host === host) return true
    const moved = { ...config, version: config.version + 1, members: [{ ...config.members[0], host }] }
    // A node that does not find itself in its own set has no primary to ask; with one node nothing can diverge.
    await admin.command({ replSetReconfig: moved, force: true })
    return true
  } catch (error) {
    if (!hasCode(error, errorCodes.notYetInitialized)) return false
    const config = { _id: replicaSetName, members: [{ _id: 0, host }] }
    await admin.command({ replSetInitiate: config }).catch((initiateError: unknown) => {
      if (!hasCode(initiateError, errorCodes.alreadyInitialized)) throw initiateError
    })
    return false
  }
}

/** The series of MongoDB whose data format is in use, as in `6.0`: it may be older than the mongod. */
export async function readDataSeries(admin: Db): Promise<string> {
  const answer = await admin.command({ getParameter: 1, featureCompatibilityVersion: 1 })
  return answer.featureCompatibilityVersion.version
}

/** Sees to it that this user can log in with this password, whatever was before. */
export async function ensureUser(admin: Db, port: number, username: string, password: string): Promise<void> {
  const { users } = await admin.command({ usersInfo: username })
  if (users.length === 0) {
    await admin.command({ createUser: username, pwd: password, roles })
  } else if (!hasRoles(users[0].roles) || !(await canLogIn(port, username, password))) {
    await admin.command({ updateUser: username, pwd: password, roles })
  }
}

function hasRoles(present: { role: string }[]): boolean {
  return roles.every((role) => present.some((entry) => entry.role === role))
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
