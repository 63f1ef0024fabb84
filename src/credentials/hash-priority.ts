import { readdir, readFile } from 'node:fs/promises'
import { setPriority } from 'node:os'

const threads = '/proc/self/task'
/** libuv's, on which bcrypt runs once a first hash has started them. */
const threadName = 'libuv-worker'
/** Of 19: where all want the CPU, a third of what others get. */
const niceness = 5

/**
 * Lets hashes wait for requests, and for other processes such as mongod: a hash takes the CPU for 70 milliseconds, a read
 * for less than one. Only Linux has priorities of threads.
 */
export async function yieldHashes(): Promise<void> {
  const ids = await readdir(threads).catch(() => [])
  for (const id of ids) {
    try {
      const name = await readFile(`${threads}/${id}/comm`, 'utf8')
      if (name.trim() === threadName) setPriority(Number(id), niceness)
    } catch {
      // The thread has ended, or the system forbids it: hashes run as they did.
    }
  }
}
