import { pino } from 'pino'
import type { Test } from 'tap'
import { startNginx } from '../gateway/nginx.ts'
import { buildApp } from '../src/app.ts'
import type { Config } from '../src/config.ts'
import type { Connection } from '../src/database/connection.ts'
import { findFreePort } from '../src/embedded-mongod/port.ts'
import type { Environment } from '../src/environment/environment.ts'
import { defaultOrigins } from '../src/http/public-origins.ts'
import { serializeKeyRing, toPublicRing } from '../src/secrets/change-key-ring.ts'
import { roleNameOf } from '../src/service-roles.ts'
import type { ServiceName } from '../src/services.ts'
import { ed25519Key } from './secrets/rings.ts'
import { createRoles, createUser } from './services/users.ts'

const ring = [ed25519Key('gateway')]

/** The keys of accounts, which another server of the same test can have, too. */
export const accountsKeys = { JWT_SIGN_KEY: '', JWT_SIGN_KEYS: serializeKeyRing(ring) }

type Services = {
  connection: Connection
  /** The database. */
  name: string
  env: Environment
  configure(connection: Connection, env: Environment): Promise<Config>
}

/**
 * The two services on one database, each with its own user and keys, behind nginx: what a test gets for its server when
 * TEST_GATEWAY is set. `app` is accounts.
 */
export async function startBehindGateway(t: Test, { connection, name, env, configure }: Services) {
  await createRoles(t, connection, name)
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(line) })

  const port = await findFreePort()
  const PUBLIC_ORIGIN = defaultOrigins('127.0.0.1', port).join()

  async function start(service: ServiceName, keys: Environment) {
    const user = await createUser(t, connection, [{ role: roleNameOf(service), db: name }])
    const own = { PUBLIC_ORIGIN, TRUSTED_PROXIES: '127.0.0.1', ...env, SERVICES: service, ...keys }
    const config = await configure(user, own)
    const app = await buildApp(config, user, log)
    await app.listen({ host: '127.0.0.1', port: 0 })
    t.teardown(() => app.close())
    return { app, config, address: `127.0.0.1:${portOf(app.server)}` }
  }

  const accounts = await start('accounts', accountsKeys)
  const posts = await start('posts', { ...accountsKeys, JWT_SIGN_KEYS: serializeKeyRing(toPublicRing(ring)) })
  const addresses = { accounts: accounts.address, posts: posts.address }
  const gateway = await startNginx({ host: '127.0.0.1', port, addresses })
  t.teardown(() => gateway.close())
  const { app, config } = accounts
  return { app, config, url: `http://127.0.0.1:${port}`, port, lines }
}

const portOf = (server: { address(): unknown }) => (server.address() as { port: number }).port // TCP always
