import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LocalServer } from '../spawn-server.ts'
import { listChildProcesses } from './child-processes.ts'

/** 'writer' and 'api' are the role arguments of the server's worker processes. */
export type ProcessName = 'mongod' | 'server' | 'writer' | 'api'

/** The process of a name, one of several at random; undefined when none runs. */
export async function pidOf(name: ProcessName, { directory, program }: LocalServer): Promise<number | undefined> {
  const serverPid = program.child.pid
  if (name === 'server' || serverPid === undefined) return serverPid
  if (name === 'mongod') {
    const lock = await readFile(join(directory, 'mongod', 'data', 'mongod.lock'), 'utf8').catch(() => '')
    return Number(lock) || undefined
  }
  const workers = (await listChildProcesses(serverPid)).filter(({ command }) => command.endsWith(`worker.ts ${name}`))
  return workers[Math.floor(Math.random() * workers.length)]?.pid
}

/** Returns false when the process has exited: mongod's lock file, for one, outlives its process for a moment. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
