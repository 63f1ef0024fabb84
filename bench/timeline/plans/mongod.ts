import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Db, MongoClient } from 'mongodb'
import { clientOptions } from '../../../src/database/connection.ts'
import { startEmbedded } from '../../../src/database/embedded.ts'

const tell = (line: string) => void process.stderr.write(`${line}\n`)
const log = { info: () => undefined, warn: tell, error: tell }
const databaseName = 'rookery'
/** Of a tick in /proc, in milliseconds. */
const tick = 10

export type Mongod = {
  client: MongoClient
  db: Db
  /** The CPU time that mongod took so far, in milliseconds; NaN where there is no /proc. */
  cpu(): Promise<number>
  close(): Promise<void>
}

async function open(folder: string, user: { username: string; password: string }): Promise<Mongod> {
  const mongodBinary = process.env.MONGOD_BINARY
  const mongod = await startEmbedded({ dataDir: folder, ...user, mongodBinary, log })
  const connection = { uri: mongod.uri, ...user }
  const client = new MongoClient(connection.uri, clientOptions(connection))
  const pid = (await readFile(join(folder, 'mongod', 'data', 'mongod.lock'), 'utf8')).trim()
  return {
    client,
    db: client.db(databaseName),
    cpu: async () => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) * tick
    },
    close: async () => {
      await client.close()
      await mongod.close()
    },
  }
}

/** Gives a folder for a mongod that can be started again and again on the same data, and removes it at the end. */
export async function withData(work: (start: () => Promise<Mongod>) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-bench-'))
  const user = { username: 'rookery-bench', password: randomBytes(18).toString('base64url') }
  const started: Mongod[] = []
  const end = async () => {
    await started.pop()?.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void end().then(() => process.exit(130)))
  try {
    await work(async () => {
      await started.pop()?.close()
      const mongod = await open(join(folder, 'data'), user)
      started.push(mongod)
      return mongod
    })
  } finally {
    await end()
  }
}
