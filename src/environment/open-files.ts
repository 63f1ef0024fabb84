import { readFileSync } from 'node:fs'
import { StartError } from '../start-error.ts'

/** Of one process: its connections to MongoDB, its files, and a few clients. */
const minOpenFiles = 256

/**
 * Node raises the soft limit to the hard one at its start. Elsewhere than on Linux the limit is not known.
 * @throws StartError when this process may open so few files and connections that it could not serve
 */
export function assertOpenFiles(read: () => string = () => readFileSync('/proc/self/limits', 'utf8')): void {
  const openFiles = readLimit(read)
  if (openFiles === undefined || openFiles >= minOpenFiles) return
  throw new StartError(
    `This process may open only ${openFiles} files and connections at a time: raise its limit (ulimit -n) to ${minOpenFiles} or more, and to 12000 for the 10000 connections that a process accepts.`,
  )
}

function readLimit(read: () => string): number | undefined {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(read()) ?? []
    return limit === undefined ? undefined : Number(limit)
  } catch {
    return undefined
  }
}
