import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { destination } from 'pino'
import { readConfig } from '../../src/config.ts'
import type { Connection } from '../../src/database/connection.ts'
import { createLogger } from '../../src/operations/logging.ts'
import { startApiServer } from '../../src/processes/api-server.ts'
import { cpuUsOf, listProcesses, treeOf } from '../machine/processes.ts'
import { handleRequests, startProgram } from '../programs.ts'

/** CPU time of both, in microseconds. */
export type Cpu = { server: number; mongod: number }

export type MeasuredServer = {
  port: number
  /** Finds out what both use when they are idle. */
  findIdle(): Promise<void>
  /** Used so far, less that. */
  cpu(): Cpu
  stop(): Promise<void>
}

type Start = { connection: Connection; dataDir: string }

/** Passkeys need an origin. */
export const origin = 'http://localhost:5000'

const noLimit = '1000000'
const failureLimits = ['ACCOUNT_AND_ADDRESS', 'ACCOUNT_AND_NETWORK', 'ADDRESS', 'NETWORK', 'ACCOUNT']

/**
 * With the generous limits of development, so that none ends a measurement, and the log of production. Hashes cost as little
 * as possible: what they cost is known, and their queue bounds it.
 */
async function startRookery({ connection: { uri, username, password }, dataDir }: Start) {
  const config = await readConfig({
    PORT: '0',
    METRICS_PORT: '0',
    BCRYPT_COST: '4',
    TRUSTED_PROXIES: '127.0.0.1',
    PUBLIC_ORIGIN: origin,
    DATA_DIR: dataDir,
    LIMIT_EXPORTS_PER_ACCOUNT: '1000',
    LIMIT_VERIFICATIONS_PER_ACCOUNT: '1000',
    ...Object.fromEntries(failureLimits.map((name) => [`LIMIT_FAILED_LOGINS_PER_${name}`, '1000'])),
    LIMIT_SIGNUPS_PER_ADDRESS: noLimit,
    LIMIT_SIGNUPS_PER_NETWORK: noLimit,
    LIMIT_RESETS_PER_ADDRESS: noLimit,
    LIMIT_RESETS_PER_NETWORK: noLimit,
    MONGODB_URI: uri,
    DB_USER: username,
    DB_PASSWORD: password,
    JWT_SIGN_KEY: randomBytes(32).toString('hex'),
    TOTP_KEYS: `bench:${randomBytes(32).toString('hex')}`,
  })
  const log = createLogger({ level: 'info', readable: false }, destination({ dest: join(dataDir, 'log'), sync: true }))
  return startApiServer(config, { uri, username, password }, log)
}

/** Until what a start and many writes leave to do is done. */
const settleMs = 5_000
const idleMs = 5_000

/** Starts the server in a process of its own. mongod is a child of this one. */
export async function startServer(start: Start): Promise<MeasuredServer> {
  const program = startProgram<Start, number>(import.meta.filename, ['serve'])
  const port = await program.request(start)

  function read(): Cpu {
    const processes = treeOf(process.pid, listProcesses())
    return {
      server: cpuUsOf(processes.filter(({ pid }) => pid === program.pid)),
      mongod: cpuUsOf(processes.filter(({ name }) => name.startsWith('mongod'))),
    }
  }
  let idlePerMs: Cpu = { server: 0, mongod: 0 }
  const cpu = (): Cpu => {
    const { server, mongod } = read()
    const ms = performance.now()
    return { server: server - ms * idlePerMs.server, mongod: mongod - ms * idlePerMs.mongod }
  }
  async function findIdle(): Promise<void> {
    await sleep(settleMs)
    const [before, startedAt] = [read(), performance.now()]
    await sleep(idleMs)
    const after = read()
    const ms = performance.now() - startedAt
    idlePerMs = { server: (after.server - before.server) / ms, mongod: (after.mongod - before.mongod) / ms }
  }
  return { port, findIdle, cpu, stop: program.stop }
}

if (import.meta.main && process.argv[2] === 'serve') {
  let close = async () => {}
  handleRequests<Start, number>(
    async (start) => {
      const service = await startRookery(start)
      close = () => service.close()
      return Number(new URL(service.url).port)
    },
    () => close(),
  )
}
