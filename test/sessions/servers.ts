import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import type { Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import type { Environment } from '../../src/config.ts'
import type { Connection } from '../../src/database/connection.ts'
import { makeClient, password, testConfig, testServer } from '../helper.ts'
import { type SetCookie, setCookies } from './set-cookies.ts'

export type Cookies = Record<string, SetCookie | undefined>
type Client = ReturnType<typeof makeClient>

/** So that each of several servers takes the others' tokens, as processes and machines beside each other do. */
export const oneKey = { JWT_SIGN_KEY: '0123456789abcdef by which several servers sign' }

/** A server beside others on one database, listening; it ends with the test. */
export async function serverOn(t: Test, connection: Connection, env: Environment = {}): Promise<string> {
  const config = await testConfig(connection, { ...oneKey, ...env })
  const app = await buildApp(config, connection, pino({ level: 'silent' }))
  t.teardown(() => app.close())
  return app.listen({ host: '127.0.0.1', port: 0 })
}

/** Two servers on one database, as two machines have them. */
export async function twoServers(t: Test, env: Environment = {}) {
  const one = await testServer(t, { ...oneKey, ...env })
  return { ...one, urls: [one.url, await serverOn(t, one.connection, env)] as const }
}

/** Begins another session of somebody. */
export async function logIn(url: string, username: string) {
  const json = { username, password }
  const { body, headers } = await makeClient(url).post<{ session: { id: string } }>('v1/session', { json })
  const cookies: Cookies = setCookies(headers)
  return { id: body.session.id, cookies, token: cookies.session?.value ?? '' }
}

export type Verdict = 'alive' | 'dead' | 'unknown'

/**
 * What a server makes of an access token that comes alone. The question is wrong, so that nothing but who asks may need
 * the database: 400 from a server that lets the session in.
 */
export async function verdict(client: Client | string, token: string): Promise<Verdict> {
  const asking = typeof client === 'string' ? makeClient(client) : client
  const headers = { cookie: `session=${token}` }
  const { statusCode } = await asking.get('v1/sessions?limit=0', { headers })
  const verdicts: Record<number, Verdict> = { 400: 'alive', 401: 'dead', 503: 'unknown' }
  const found = verdicts[statusCode]
  if (!found) throw new Error(`it answered ${statusCode}`)
  return found
}

/**
 * Asks until the session is dead, for 5 seconds at most.
 * @returns how long after now the last request began that did not find it dead, in milliseconds; 0 if there was none
 */
export async function lastAlive(client: Client | string, token: string): Promise<number> {
  const from = performance.now()
  for (let last = 0; ; await delay(5)) {
    const began = performance.now() - from
    if (began > 5_000 || (await verdict(client, token)) === 'dead') return last
    last = began
  }
}
