import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import type { Connection } from '../../src/database/connection.ts'
import { withAdmin } from '../../src/embedded-mongod/admin.ts'
import { type GuardedChild, spawnGuarded } from '../../src/embedded-mongod/child-guard.ts'
import { prepareDataDir } from '../../src/embedded-mongod/data-dir.ts'
import { findMongod } from '../../src/embedded-mongod/find-binary.ts'
import { findFreePort, waitUntilListening } from '../../src/embedded-mongod/port.ts'
import { createServiceRoles, roleNameOf } from '../../src/service-roles.ts'
import { eventually } from '../eventually.ts'
import { lastLines } from './last-lines.ts'

const name = 'three'
const username = 'rookery'
const password = 'a password of its own'
const adminTimeoutMs = 30_000
/** A member is frozen or has exited if it has not answered by then. */
const helloTimeoutMs = 1_000
/** A restarted member recovers its journal and catches up. */
const healthyTimeoutMs = 120_000

export type Member = {
  host: string
  /** Starts its mongod unless it runs. */
  start(): Promise<void>
  /** SIGKILL; resolves when it has exited. */
  kill(): Promise<void>
  signal(name: NodeJS.Signals): void
  /** Runs a command as an administrator. */
  command(command: Record<string, unknown>): Promise<unknown>
}

export type ReplicaSet = {
  members: readonly Member[]
  connection: Connection
  primary(): Promise<Member>
  secondaries(): Promise<Member[]>
  /** Starts each member that has exited, and resolves when one is primary and the others are secondaries. */
  heal(): Promise<void>
}

/**
 * Runs `use` with a replica set of three on loopback, with authentication, the roles of `npm run roles`, and MongoDB's own
 * timeouts. `dataFolders` can name other folders for the data of some members.
 */
export async function withReplicaSet<T>(
  folder: string,
  dataFolders: readonly (string | undefined)[],
  use: (set: ReplicaSet) => Promise<T>,
): Promise<T> {
  const { path } = await findMongod({
    explicit: process.env.MONGOD_BINARY,
    log: { info: () => undefined, warn: console.error, error: console.error },
  })
  const { keyFile, key } = await prepareDataDir(join(folder, 'key'))
  const members: (Member & { stop(): Promise<void> })[] = []
  try {
    for (const number of [0, 1, 2]) {
      const dataFolder = dataFolders[number] ?? join(folder, `member-${number + 1}`)
      const files = { binary: path, keyFile, key, dataFolder, log: join(folder, `member-${number + 1}.log`) }
      members.push(await createMember(files))
    }
    await Promise.all(members.map(({ start }) => start()))
    const set = { members, connection: connectionTo(members), ...rolesIn(members) }
    await initiate(set, key)
    return await use(set)
  } finally {
    await Promise.all(members.map(({ stop }) => stop()))
  }
}

type MemberFiles = { binary: string; keyFile: string; key: string; dataFolder: string; log: string }

async function createMember({ binary, keyFile, key, dataFolder, log }: MemberFiles) {
  await mkdir(dataFolder, { recursive: true })
  const port = await findFreePort()
  const host = `127.0.0.1:${port}`
  const args = [
    ...['--replSet', name, '--keyFile', keyFile, '--dbpath', dataFolder, '--nounixsocket'],
    ...['--bind_ip', '127.0.0.1', '--port', String(port), '--oplogSize', '50', '--wiredTigerCacheSizeGB', '0.25'],
    ...['--logpath', log, '--logappend', '--quiet'],
    ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
    // As docs/operations.md suggests for a replica set.
    ...['--setParameter', 'transactionLifetimeLimitSeconds=10'],
  ]
  let mongod: GuardedChild | undefined
  const signal = (name: NodeJS.Signals) => {
    const pid = mongod?.pid()
    if (pid !== undefined) process.kill(pid, name)
  }
  return {
    host,
    signal,
    async start() {
      if (mongod) return
      const file = await open(log, 'a')
      const started = spawnGuarded(binary, args, file.fd)
      await file.close()
      mongod = started
      const exit = new AbortController()
      void started.exited.then(() => {
        if (mongod === started) mongod = undefined
        exit.abort()
      })
      if (!(await waitUntilListening(port, exit.signal)))
        throw new Error(`a mongod does not listen:\n${await lastLines(log)}`)
    },
    async kill() {
      const { exited } = mongod ?? {}
      signal('SIGKILL')
      await exited
    },
    async stop() {
      if (mongod) signal('SIGCONT')
      await mongod?.stop()
    },
    command: (command: Record<string, unknown>) =>
      withAdmin(host, key, adminTimeoutMs, (admin) => admin.command(command)),
  }
}

const connectionTo = (members: readonly Member[]): Connection => ({
  uri: `mongodb://${members.map(({ host }) => host).join(',')}/rookery?replicaSet=${name}`,
  username,
  password,
})

/** Asks each member for its role. */
function rolesIn(members: readonly Member[]) {
  const roles = () => Promise.all(members.map(async (member) => ({ member, role: await roleOf(member) })))
  const countOf = async (wanted: Role) => (await roles()).filter(({ role }) => role === wanted).length
  return {
    async primary() {
      for (const end = performance.now() + healthyTimeoutMs; performance.now() < end; await delay(100)) {
        const primary = (await roles()).find(({ role }) => role === 'primary')
        if (primary) return primary.member
      }
      throw new Error('the replica set has no primary')
    },
    secondaries: async () => (await roles()).filter(({ role }) => role === 'secondary').map(({ member }) => member),
    async heal() {
      await Promise.all(members.map(({ start }) => start()))
      await eventually(async () => (await countOf('primary')) === 1 && (await countOf('secondary')) === 2, {
        withinMs: healthyTimeoutMs,
        everyMs: 200,
      })
    },
  }
}

type Role = 'primary' | 'secondary' | 'neither'

async function roleOf({ host }: Member): Promise<Role> {
  const limits = { serverSelectionTimeoutMS: helloTimeoutMs, socketTimeoutMS: helloTimeoutMs }
  const client = new MongoClient(`mongodb://${host}/?directConnection=true`, limits)
  try {
    const { isWritablePrimary, secondary } = await client.db('admin').command({ hello: 1 })
    if (isWritablePrimary) return 'primary'
    return secondary ? 'secondary' : 'neither'
  } catch {
    return 'neither'
  } finally {
    await client.close()
  }
}

/** Creates the replica set, and a user with the role of a server. */
async function initiate(set: ReplicaSet, key: string): Promise<void> {
  const [first] = set.members
  const configured = set.members.map(({ host }, _id) => ({ _id, host }))
  await first?.command({ replSetInitiate: { _id: name, members: configured } })
  await set.heal()
  const { host } = await set.primary()
  await withAdmin(host, key, adminTimeoutMs, async (admin) => {
    await createServiceRoles(admin, 'rookery')
    const roles = [{ role: roleNameOf(), db: 'rookery' }]
    await admin.command({ createUser: username, pwd: password, roles, writeConcern: { w: 3 } })
  })
}
