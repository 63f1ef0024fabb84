import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Connection } from '../../src/database/connection.ts'
import { spawnGuarded } from '../../src/embedded-mongod/child-guard.ts'
import { findFreePort, waitUntilListening } from '../../src/embedded-mongod/port.ts'
import type { Server, ServerOptions } from '../servers/server.ts'
import { install } from './install.ts'
import { type PeerName, peers } from './peers.ts'

const startTimeoutMs = 60_000

/** Writes wait until a majority has journaled them, and reads see nothing else, as in Rookery. */
function uriOf({ uri, username, password }: Connection): string {
  const url = new URL(uri)
  Object.assign(url, { username, password })
  const guarantees = { authSource: 'admin', w: 'majority', journal: 'true', readConcernLevel: 'majority' }
  for (const [name, value] of Object.entries(guarantees)) url.searchParams.set(name, value)
  return url.href
}

/**
 * Installs a peer if necessary, and starts it. It exits with this process.
 * @param dataDir - its log, and the database of one that has its own
 * @throws PeerUnavailable if a tool is missing or fails; Error if the server does not start
 */
export async function startPeer(
  name: PeerName,
  connection: Connection,
  { bcryptCost }: ServerOptions,
  dataDir: string,
): Promise<Server> {
  const peer = peers[name]
  const installed = await install(peer, name)
  const port = await findFreePort()
  await mkdir(dataDir, { recursive: true })
  const logFile = join(dataDir, 'server.log')
  const log = await open(logFile, 'a', 0o600)
  const [program = '', ...args] = peer.command(installed, port, dataDir)
  const child = spawnGuarded(program, args, log.fd, {
    ...process.env,
    PORT: String(port),
    MONGODB_URI: uriOf(connection),
    JWT_SIGN_KEY: randomBytes(32).toString('hex'),
    BCRYPT_COST: String(bcryptCost),
    // Express then writes no stack traces into its answers and caches what it can.
    NODE_ENV: 'production',
  })
  await log.close()
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), startTimeoutMs)
  void child.exited.then(() => stop.abort())
  const listening = await waitUntilListening(port, stop.signal)
  clearTimeout(timer)
  if (!listening) {
    await child.stop()
    throw new Error(`${name} does not start: ${await readFile(logFile, 'utf8')}`)
  }
  return { port, pid: child.pid(), cpuUs: async () => Number.NaN, stop: child.stop }
}
