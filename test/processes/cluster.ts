import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { Environment } from '../../src/config.ts'
import { processesWith, timeUntil } from '../database/fixtures/processes.ts'
import { freshDatabase, signUp } from '../helper.ts'
import { ServerProcess } from '../main/server-process.ts'

export type Role = 'api' | 'writer'

/** A server in several processes, on a database of its own. */
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

/** The pids of a server's processes of one role. */
export async function pidsOf(server: ServerProcess, role: Role): Promise<number[]> {
  const found = await processesWith(role)
  return found.filter(({ parent }) => parent === server.child.pid).map(({ pid }) => pid)
}

/** Kills a process of one role, and resolves when another has taken its place; a front listens then. */
export async function killOne(server: ServerProcess, role: Role): Promise<void> {
  const before = await pidsOf(server, role)
  const [victim] = before
  if (victim === undefined) throw new Error(`there is no ${role}`)
  process.kill(victim, 'SIGKILL')
  const replaced = async () => {
    const now = await pidsOf(server, role)
    const added = now.filter((pid) => !before.includes(pid))
    if (now.length < before.length || added.length === 0) return false
    return role === 'writer' || added.every((pid) => server.out.includes(`Process ${pid} listens`))
  }
  if ((await timeUntil(replaced, 30_000)) === Number.POSITIVE_INFINITY) {
    throw new Error(`no other ${role} came:\n${server.out.slice(-5_000)}`)
  }
}

/** So many people who have signed up. */
export async function people(url: string, count: number) {
  const all: Awaited<ReturnType<typeof signUp>>[] = []
  // A few at a time: judging a password is work, and only so many may wait for it.
  while (all.length < count) {
    const some = Math.min(16, count - all.length)
    all.push(...(await Promise.all(Array.from({ length: some }, () => signUp(url)))))
  }
  return all
}
