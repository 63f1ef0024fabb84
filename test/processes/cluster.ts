import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { Environment } from '../../src/environment/environment.ts'
import { processesWith } from '../database/fixtures/processes.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, signUp } from '../helper.ts'
import { ServerProcess } from '../main/server-process.ts'

export type Role = 'api' | 'writer'

/** Starts a server in several processes, with its own database. */
export async function startCluster(t: Test, processes: number, env: Environment = {}) {
  const { db, connection } = await freshDatabase(t)
  const server = new ServerProcess(t, {
    NODE_ENV: 'test',
    WEB_CONCURRENCY: String(processes),
    BCRYPT_COST: '4',
    MONGODB_URI: connection.uri,
    DB_USER: connection.username,
    DB_PASSWORD: connection.password,
    JWT_SIGN_KEY: randomBytes(32).toString('hex'),
    ...env,
  })
  return { server, url: await server.ready(), db, connection }
}

/** The pids of a server's workers of one role. */
export async function pidsOf(server: ServerProcess, role: Role): Promise<number[]> {
  const found = await processesWith(role)
  return found.filter(({ parent }) => parent === server.child.pid).map(({ pid }) => pid)
}

/** Kills a worker, and resolves when it has been replaced; a new API process listens then. */
export async function killOne(server: ServerProcess, role: Role): Promise<void> {
  const before = await pidsOf(server, role)
  const [victim] = before
  if (victim === undefined) throw new Error(`no ${role} process`)
  process.kill(victim, 'SIGKILL')
  const replaced = async () => {
    const now = await pidsOf(server, role)
    const added = now.filter((pid) => !before.includes(pid))
    if (now.length < before.length || added.length === 0) return false
    return role === 'writer' || added.every((pid) => server.out.includes(`Process ${pid} listens`))
  }
  await eventually(replaced).catch(() => {
    throw new Error(`the ${role} process was not replaced:\n${server.out.slice(-5_000)}`)
  })
}

/** Signs up `count` accounts. */
export async function signUpUsers(url: string, count: number) {
  const all: Awaited<ReturnType<typeof signUp>>[] = []
  // In small groups: the queue for password hashes is limited.
  while (all.length < count) {
    const some = Math.min(16, count - all.length)
    all.push(...(await Promise.all(Array.from({ length: some }, () => signUp(url)))))
  }
  return all
}
