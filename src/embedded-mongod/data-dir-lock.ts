import { createHash } from 'node:crypto'
import { stat, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { StartError } from '../start-error.ts'

const HolderAnswer = z.object({ pid: z.int(), closing: z.boolean() })
type Holder = z.infer<typeof HolderAnswer>

const maxAnswerLength = 200

export type DataDirLock = {
  announceClosing(): void
  release(): Promise<void>
}

/**
 * Locks the directory for this process. The lock is a listening socket named after the directory's device and inode:
 * the kernel frees it however the process exits, no pid file can be stale, and the holder answers with its own pid.
 * Containers that share a directory but no network do not see it; there, mongod's own file lock applies.
 * @throws StartError if another process holds the lock
 */
export async function lockDataDir(dir: string, closingTimeoutMs: number, onWait: () => void): Promise<DataDirLock> {
  const address = await lockAddress(dir)
  const deadline = Date.now() + closingTimeoutMs
  for (let attempts = 0; ; attempts++) {
    const holder: Holder = { pid: process.pid, closing: false }
    const server = await listen(address, holder)
    if (server) return createLock(holder, server)

    const other = await askHolder(address)
    if (other === 'gone') {
      await removeStaleSocket(address)
    } else if (other === 'silent' || !other.closing || Date.now() > deadline) {
      const holderPid = other === 'silent' ? '' : ` (process ${other.pid})`
      throw new StartError(
        `DATA_DIR ${dir} is in use by another Rookery server${holderPid}. Stop that server, or set another DATA_DIR.`,
        'out-of-reach',
      )
    }
    if (attempts === 0 && other !== 'gone') onWait()
    await delay(50)
  }
}

function createLock(holder: Holder, server: Server): DataDirLock {
  return {
    announceClosing: () => {
      holder.closing = true
    },
    release: () => close(server),
  }
}

async function lockAddress(dir: string): Promise<string> {
  const { dev, ino } = await stat(dir, { bigint: true })
  const name = `rookery-${createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 32)}`
  return process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`)
}

function listen(path: string, holder: Holder): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      // Destroyed, because a peer that keeps its end open would block server.close().
      socket.end(JSON.stringify(holder), () => socket.destroy())
    })
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    // exclusive: node:cluster would otherwise share the socket of the primary.
    server.listen({ path, exclusive: true }, () => resolve(server.unref()))
  })
}

function askHolder(path: string): Promise<Holder | 'gone' | 'silent'> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(path)
    socket.setTimeout(2_000, () => socket.destroy())
    socket.on('data', (chunk) => {
      answer += chunk.toString()
      if (answer.length > maxAnswerLength) socket.destroy()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? 'gone' : 'silent')
    })
    socket.on('close', () => resolve(parseHolder(answer)))
  })
}

/** Any local user can listen on this address, so the answer is validated. */
function parseHolder(answer: string): Holder | 'silent' {
  try {
    return HolderAnswer.parse(JSON.parse(answer))
  } catch {
    return 'silent'
  }
}

async function removeStaleSocket(address: string): Promise<void> {
  if (!address.startsWith('\0')) await unlink(address).catch(() => undefined)
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}
