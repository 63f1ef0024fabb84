import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Connection } from '../src/database/connection.ts'
import { startEmbeddedMongod } from '../src/embedded-mongod/start.ts'

const tell = (line: string) => void process.stderr.write(`${line}\n`)
// That a first start keeps its data is not so here.
const log = { info: () => undefined, warn: tell, error: tell }

/** Runs with a mongod in a folder of its own, removed at the end. */
export async function withMongod<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-bench-'))
  const user = { username: 'rookery-bench', password: randomBytes(18).toString('base64url') }
  try {
    const mongodBinary = process.env.MONGOD_BINARY
    const mongod = await startEmbeddedMongod({ dataDir: join(folder, 'data'), ...user, mongodBinary, log })
    try {
      return await work({ uri: mongod.uri, ...user })
    } finally {
      await mongod.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
