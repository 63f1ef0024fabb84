import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Connection } from '../src/database/connection.ts'
import { grantEveryDatabase } from '../src/embedded-mongod/admin.ts'
import { startEmbeddedMongod } from '../src/embedded-mongod/start.ts'
import { temporaryFolder } from '../src/temporary-folder.ts'

const printError = (line: string) => void process.stderr.write(`${line}\n`)
// Info lines say where the data is kept, and here it is not kept.
const log = { info: () => undefined, warn: printError, error: printError }

/** Runs `work` with a mongod in a temporary directory. */
export async function withMongod<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
  const directory = await temporaryFolder('rookery-bench-')
  const user = { username: 'rookery-bench', password: randomBytes(18).toString('base64url') }
  try {
    const mongodBinary = process.env.MONGOD_BINARY
    const mongod = await startEmbeddedMongod({ dataDir: join(directory, 'data'), ...user, mongodBinary, log })
    try {
      await mongod.administer((admin) => grantEveryDatabase(admin, user.username))
      return await work({ uri: mongod.uri, ...user })
    } finally {
      await mongod.close()
    }
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}
