import { pino } from 'pino'
import type { Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import type { Connection } from '../../src/database/connection.ts'
import { serializeKeyRing, toPublicRing } from '../../src/secrets/change-key-ring.ts'
import { type ServiceName, serviceNames } from '../../src/services.ts'
import { testConfig } from '../helper.ts'
import { passkeyEnv } from '../passkeys/ceremonies.ts'
import { ed25519Key } from '../secrets/rings.ts'

const signing = [ed25519Key('shared')]
const rings: Record<ServiceName, string> = {
  accounts: serializeKeyRing(signing),
  posts: serializeKeyRing(toPublicRing(signing)),
}

/** Starts one service on a database, until the end of the test. Only accounts can sign tokens. */
export async function startService(t: Test, service: ServiceName, connection: Connection) {
  const env = {
    ...passkeyEnv,
    SERVICES: service,
    JWT_SIGN_KEY: '',
    JWT_SIGN_KEYS: rings[service],
    USERNAME_HOLD_DAYS: '1',
  }
  const config = await testConfig(connection, env)
  const lines: string[] = []
  const app = await buildApp(config, connection, pino({ level: 'debug' }, { write: (line) => void lines.push(line) }))
  t.teardown(() => app.close())
  return { url: await app.listen({ host: '127.0.0.1', port: 0 }), lines }
}

/** Both services on one database, each with a connection of its own. */
export async function startServices(t: Test, connections: Record<ServiceName, Connection>) {
  const [accounts, posts] = await Promise.all(serviceNames.map((name) => startService(t, name, connections[name])))
  if (!accounts || !posts) throw new Error('one element each')
  return { accounts, posts }
}
