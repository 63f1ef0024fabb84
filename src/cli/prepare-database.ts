import { readFile, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Db, MongoClient } from 'mongodb'
import { ensureRoleUser } from '../database/users.ts'
import { initiateReplicaSet, withAdmin } from '../embedded-mongod/admin.ts'
import type { Credentials } from '../secrets/db-credentials.ts'
import { backupRole, createServiceRoles, roleNameOf } from '../service-roles.ts'
import { serviceNames } from '../services.ts'
import { StartError } from '../start-error.ts'
import { print, runCli } from './command.ts'
import { readSecretVariable } from './secret-variable.ts'

const help = `Usage: npm run prepare-database

Initiates the replica set of the MongoDB at MONGODB_URI with the hosts that it names, adds those that an existing set lacks,
and creates or updates the server's user (DB_USER, DB_PASSWORD), those of separate services, rookery-accounts
(ACCOUNTS_DB_PASSWORD) and rookery-posts (POSTS_DB_PASSWORD), and that of backups, rookery-backup (BACKUP_DB_PASSWORD).
Each password can also come from a file: DB_PASSWORD_FILE and so on. The service database-init of compose.yaml runs it at
every start: it changes only what is missing or different, so it can be repeated at any time and after any interruption. It
logs in with the key file MONGODB_KEY_FILE: see docs/decisions/0006-compose-database.md.

Exit code: 0 done, 78 a variable is missing or the key file's mode is wrong, 69 MongoDB is not ready within 2 minutes.
`

const timeoutMs = 120_000
const adminTimeoutMs = 2_000

type Target = { uri: string; hosts: readonly string[]; databaseName: string; replicaSet: string }

function requireVariable(name: string): string {
  const value = process.env[name]
  if (!value) throw new StartError(`${name} is not set`)
  return value
}

function parseTarget(uri: string): Target {
  const { hosts, dbName, replicaSet } = new MongoClient(uri).options
  if (!replicaSet) throw new StartError('MONGODB_URI names no replicaSet')
  return { uri, hosts: hosts.map(String), databaseName: dbName, replicaSet }
}

/** @throws StartError if mongod refuses the file, or this user cannot read it: waiting would change neither */
async function readKey(file: string): Promise<string> {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0)
      throw new StartError(
        `The key file ${file} has the mode ${(mode & 0o777).toString(8)}, and mongod refuses one that others may read: run chmod 400 on it as its owner, mongod’s user. For compose.yaml, docs/operations.md has the command.`,
      )
    return (await readFile(file, 'utf8')).replaceAll(/\s/g, '')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EACCES')
      throw new StartError(
        `The key file ${file} cannot be read: run this command as mongod’s user, and let that user own the file.`,
      )
    throw error
  }
}

/**
 * The host of the primary, from the first host that names one; initiates the set if no host has one, which MongoDB does only
 * while all of them answer.
 * @throws Error at the deadline; a replica set that was initiated for other hosts never has a primary
 */
async function primaryOf({ replicaSet, hosts }: Target, key: string, deadline: number): Promise<string> {
  const [first = '', ...others] = hosts
  for (; performance.now() < deadline; await sleep(200)) {
    let isInitiated = false
    for (const host of hosts) {
      const ask = withAdmin(host, key, adminTimeoutMs, (admin) => admin.command({ hello: 1 }))
      // Another one may know the primary.
      const hello = await ask.catch(() => undefined)
      if (hello?.isWritablePrimary) return host
      if (typeof hello?.primary === 'string') return hello.primary
      if (hello?.setName) isInitiated = true
    }
    if (!isInitiated)
      await withAdmin(first, key, adminTimeoutMs, (admin) => initiateReplicaSet(admin, replicaSet, first, ...others))
  }
  throw new Error('its replica set has no primary')
}

/** One by one, as MongoDB demands. */
async function addMembers(admin: Db, hosts: readonly string[]): Promise<void> {
  for (const host of hosts) {
    const { config } = await admin.command({ replSetGetConfig: 1 })
    const members: { _id: number; host: string }[] = config.members
    if (members.some((member) => member.host === host)) continue
    const _id = Math.max(...members.map((member) => member._id)) + 1
    await admin.command({
      replSetReconfig: { ...config, version: config.version + 1, members: [...members, { _id, host }] },
    })
    print(`${host} is a new member of the replica set`)
  }
}

async function checkLogin({ uri, databaseName }: Target, auth: Credentials): Promise<void> {
  const client = new MongoClient(uri, { auth, authSource: 'admin', serverSelectionTimeoutMS: 5_000 })
  try {
    await client.db(databaseName).listCollections().toArray()
  } finally {
    await client.close()
  }
}

/** The users of separate services and of backups, where they have a password. Each has the name of its role. */
async function otherUsers(): Promise<{ role: string; password: string }[]> {
  const users = [
    ...serviceNames.map((service) => ({ role: roleNameOf(service), variable: `${service.toUpperCase()}_DB_PASSWORD` })),
    { role: backupRole, variable: 'BACKUP_DB_PASSWORD' },
  ]
  const read = users.map(async ({ role, variable }) => ({ role, password: await readSecretVariable(variable) }))
  return (await Promise.all(read)).flatMap(({ role, password }) => (password ? [{ role, password }] : []))
}

async function prepareDatabase(): Promise<number> {
  const target = parseTarget(requireVariable('MONGODB_URI'))
  const keyFile = requireVariable('MONGODB_KEY_FILE')
  const password = await readSecretVariable('DB_PASSWORD')
  if (password === undefined)
    throw new StartError(
      'DB_PASSWORD is not set: generate one with openssl rand -hex 32, or name its file in DB_PASSWORD_FILE',
    )
  const credentials = { username: process.env.DB_USER || 'rookery', password }
  const others = await otherUsers()
  const { hosts, databaseName, replicaSet } = target
  const host = hosts.join(',')
  for (const deadline = performance.now() + timeoutMs; ; await sleep(500)) {
    try {
      const key = await readKey(keyFile)
      await withAdmin(await primaryOf(target, key, deadline), key, adminTimeoutMs, async (admin) => {
        await addMembers(admin, hosts)
        await createServiceRoles(admin, databaseName)
        await ensureRoleUser(admin, credentials, { role: roleNameOf(), db: databaseName })
        for (const { role, password } of others)
          await ensureRoleUser(admin, { username: role, password }, { role, db: databaseName })
      })
      await checkLogin(target, credentials)
      break
    } catch (error) {
      if (error instanceof StartError) throw error
      // Retried: mongod might still be starting, electing a primary, or waiting for its key file.
      const reason = error instanceof Error ? error.message : String(error)
      if (performance.now() > deadline)
        throw new StartError(`MongoDB at ${host} did not become ready: ${reason}`, 'out-of-reach')
    }
  }
  print(
    `MongoDB at ${host} is ready: replica set ${replicaSet}, user ${credentials.username}, database ${databaseName}`,
  )
  return 0
}

await runCli({ help, args: {}, run: prepareDatabase })
