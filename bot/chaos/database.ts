import { randomBytes } from 'node:crypto'
import { startEmbeddedMongod } from '../../src/embedded-mongod/start.ts'
import { printLineOf } from '../spawn-server.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

/** `settings` lead the server to the proxy. */
export type FaultyDatabase = { proxy: FaultProxy; settings: Record<string, string> }

const username = 'rookery'
const print = (message: string) => printLineOf('mongod', message)

/**
 * Runs `use` with a mongod in the directory and a fault proxy before it. Chaos owns both, so that mongod and the
 * connections to it outlive a killed server, as in a deployment.
 * @throws StartError when mongod does not start
 */
export async function withFaultyDatabase<T>(
  directory: string,
  use: (database: FaultyDatabase) => Promise<T>,
): Promise<T> {
  const password = randomBytes(18).toString('base64url')
  const mongod = await startEmbeddedMongod({
    dataDir: directory,
    username,
    password,
    mongodBinary: process.env.MONGOD_BINARY || undefined,
    log: { info: () => undefined, warn: print, error: print },
  })
  try {
    const proxy = await startFaultProxy(Number(new URL(mongod.uri).port))
    try {
      const settings = {
        MONGODB_URI: `mongodb://127.0.0.1:${proxy.port}/rookery?directConnection=true`,
        DB_USER: username,
        DB_PASSWORD: password,
        JWT_SIGN_KEY: randomBytes(32).toString('hex'),
        TOTP_KEYS: `chaos:${randomBytes(32).toString('hex')}`,
      }
      return await use({ proxy, settings })
    } finally {
      proxy.close()
    }
  } finally {
    await mongod.close()
  }
}
