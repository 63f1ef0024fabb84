import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import type { Environment } from '../../src/config.ts'
import { testConfig, testServer } from '../helper.ts'

/** Two servers on one database and with one key, as two machines have them. */
export async function twoServers(t: Test, env: Environment = {}) {
  const one = await testServer(t, env)
  const own = await testConfig(one.connection, { ...env, LOG_LEVEL: 'silent' })
  const app = await buildApp({ ...own, jwtSignKey: one.config.jwtSignKey }, one.connection)
  t.teardown(() => app.close())
  await app.listen({ host: own.host, port: 0 })
  const { port } = app.server.address() as AddressInfo // TCP always
  return { ...one, urls: [one.url, `http://127.0.0.1:${port}`] as const }
}
