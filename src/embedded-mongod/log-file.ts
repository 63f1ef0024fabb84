import { open, rename, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'

const maxBytes = 10_000_000

export async function rotateLog(file: string): Promise<boolean> {
  const size = await logSize(file)
  if (size < maxBytes) return false
  await rename(file, `${file}.1`)
  return true
}

export async function logSize(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0
}

export type StartFailure = { kind: 'data in use' | 'port in use' | 'other'; message: string }

/** Reads why mongod exited from its log, after the given byte offset; never throws. */
export async function readStartFailure(file: string, from: number): Promise<StartFailure> {
  const failure = parseStartFailure(await readTail(file, from).catch((error: Error) => error.message))
  return failure.kind === 'other' && (await isDiskFull(file)) ? { kind: 'other', message: 'the disk is full' } : failure
}

/** On a full disk mongod cannot log why it exits. */
async function isDiskFull(file: string): Promise<boolean> {
  const disk = await statfs(dirname(file)).catch(() => undefined)
  return disk !== undefined && disk.bavail * disk.bsize < 1_000_000
}

async function readTail(file: string, from: number): Promise<string> {
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    const start = Math.max(from, size - 200_000)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}

const knownCauses: [RegExp, string][] = [
  [/No space left on device/, 'the disk is full'],
  [/Read-only file system/, 'DATA_DIR is on a read-only file system'],
  [/Permission denied|Operation not permitted/, 'this user has no permission to read and write all of DATA_DIR'],
  [
    /UPGRADE PROBLEM|featureCompatibilityVersion|unsupported WiredTiger file version|newer version/,
    'the data was written by another version of MongoDB',
  ],
  [/Too many open files/, 'the limit of open files is too low (ulimit -n)'],
]

export function parseStartFailure(log: string): StartFailure {
  if (/DBPathInUse/.test(log)) return { kind: 'data in use', message: 'another mongod uses the same data' }
  if (/Address already in use/.test(log)) return { kind: 'port in use', message: 'its port is in use' }
  const lines = log.split('\n').filter((line) => line.trim())
  const errors = lines.flatMap(errorIn)
  const plainLines = lines.filter((line) => !line.startsWith('{'))
  const reported = errors.length > 0 ? errors : plainLines
  const explanation = knownCauses.find(([pattern]) => pattern.test(reported.join('\n')))?.[1]
  const message = [explanation, reported[0]?.slice(0, 400)].filter(Boolean).join('; mongod reports: ')
  return { kind: 'other', message: message || 'its log has no error' }
}

function errorIn(line: string): string[] {
  try {
    const entry: { s?: string; msg?: string; attr?: Record<string, unknown> } = JSON.parse(line)
    if (entry.s !== 'E' && entry.s !== 'F') return []
    const detail = entry.attr?.error ?? entry.attr?.reason ?? entry.attr?.message ?? ''
    return [`${entry.msg ?? ''} ${typeof detail === 'string' ? detail : JSON.stringify(detail)}`.trim()]
  } catch {
    return []
  }
}
