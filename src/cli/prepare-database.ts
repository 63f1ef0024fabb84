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

const help = `Usage: node src/cli/prepare-database.ts

Initiates the replica set of the MongoDB at MONGODB_URI with the hosts that it names, adds those that an existing set lacks,
and creates or updates the server's user (DB_USER, DB_PASSWORD), those of separate services, rookery-accounts
(ACCOUNTS_DB_PASSWORD) and rookery-posts (POSTS_DB_PASSWORD), and that of backups, rookery-backup (BACKUP_DB_PASSWORD). The
service database-init of compose.yaml runs it at every start: it changes only what is missing or different, so it can be
repeated at any time and after any interruption. It logs in with the key file MONGODB_KEY_FILE: see
docs/decisions/0006-compose-database.md.

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
 * The host of the primary; initiates the set if the first host has none.
 * @throws Error at the deadline; a replica set that was initiated for other hosts never has a primary
 */
async function primaryOf({ replicaSet, hosts: [first = '', ...others] }: Target, key: string, deadline: number) {
  for (; performance.now() < deadline; await sleep(200)) {
    const primary = await withAdmin(first, key, adminTimeoutMs, async (admin) => {
      const hello = await admin.command({ hello: 1 })
      if (!hello.setName) await initiateReplicaSet(admin, replicaSet, first, ...others)
      return hello.isWritablePrimary ? first : hello.primary
    })
    if (typeof primary === 'string') return primary
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
function otherUsers(): { role: string; password: string }[] {
  const users = [
    ...serviceNames.map((service) => ({ role: roleNameOf(service), variable: `${service.toUpperCase()}_DB_PASSWORD` })),
    { role: backupRole, variable: 'BACKUP_DB_PASSWORD' },
  ]
  return users.flatMap(({ role, variable }) => {
    const password = process.env[variable]
    return password ? [{ role, password }] : []
  })
}

async function prepareDatabase(): Promise<number> {
  const target = parseTarget(requireVariable('MONGODB_URI'))
  const keyFile = requireVariable('MONGODB_KEY_FILE')
  const credentials = { username: process.env.DB_USER || 'rookery', password: requireVariable('DB_PASSWORD') }
  const { hosts, databaseName, replicaSet } = target
  const host = hosts.join(',')
  for (const deadline = performance.now() + timeoutMs; ; await sleep(500)) {
    try {
      const key = await readKey(keyFile)
      await withAdmin(await primaryOf(target, key, deadline), key, adminTimeoutMs, async (admin) => {
        await addMembers(admin, hosts)
        await createServiceRoles(admin, databaseName)
        await ensureRoleUser(admin, credentials, { role: roleNameOf(), db: databaseName })
        for (const { role, password } of otherUsers())
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
