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

/** In characters. */
const maxAnswerLength = 200

export type DataDirLock = {
  /** From now on another start waits for the release instead of giving up. */
  announceClosing(): void
  release(): Promise<void>
}

/**
 * Takes the folder for this process. The lock is a listening socket named after the folder's device and inode: the
 * system frees it however the process ends, no pid is compared, and its holder itself says who it is.
 * Containers that share a folder and no network do not see it; there mongod's own file lock keeps the second out.
 * @param patienceMs how long to wait for a holder that is closing, in milliseconds
 * @throws StartError if another process holds it
 */
export async function lockDataDir(folder: string, patienceMs: number, onWait: () => void): Promise<DataDirLock> {
  const address = await lockAddress(folder)
  const deadline = Date.now() + patienceMs
  for (let tries = 0; ; tries++) {
    const holder: Holder = { pid: process.pid, closing: false }
    const server = await listen(address, holder)
    if (server) return createLock(holder, server)

    const other = await askHolder(address)
    if (other === 'gone') {
      await removeStaleSocket(address)
    } else if (other === 'silent' || !other.closing || Date.now() > deadline) {
      const who = other === 'silent' ? '' : ` (process ${other.pid})`
      throw new StartError(
        `DATA_DIR ${folder} is in use by another Rookery server${who}. Stop that one first, or give this one a DATA_DIR of its own.`,
      )
    }
    if (tries === 0 && other !== 'gone') onWait()
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

async function lockAddress(folder: string): Promise<string> {
  const { dev, ino } = await stat(folder, { bigint: true })
  const name = `rookery-${createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 32)}`
  return process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`)
}

/** @returns undefined if the address is taken */
function listen(path: string, holder: Holder): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      // Not only ended: whoever keeps his own end open must not keep us from closing.
      socket.end(JSON.stringify(holder), () => socket.destroy())
    })
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    // exclusive: a cluster worker would otherwise share the socket of its primary.
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

/** Anybody on this machine can listen under this name: what is said there is read with care. */
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
