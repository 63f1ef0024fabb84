import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import type { Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import type { Connection } from '../../src/database/connection.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { accountsKeys } from '../gateway-server.ts'
import { makeClient, password, testConfig, testServer } from '../helper.ts'
import { type SetCookie, setCookies } from './set-cookies.ts'

export type Cookies = Record<string, SetCookie | undefined>
type Client = ReturnType<typeof makeClient>

/** Servers with this key accept each other's tokens, like the processes and machines of one deployment. */
export const sharedKey: Environment = process.env.TEST_GATEWAY
  ? accountsKeys
  : { JWT_SIGN_KEY: '0123456789abcdef by which several servers sign' }

/** Starts another server on a database, until the end of the test. */
export async function serverOn(t: Test, connection: Connection, env: Environment = {}): Promise<string> {
  const config = await testConfig(connection, { ...sharedKey, ...env })
  const app = await buildApp(config, connection, pino({ level: 'silent' }))
  t.teardown(() => app.close())
  return app.listen({ host: '127.0.0.1', port: 0 })
}

/** Two servers on one database, like two machines. */
export async function twoServers(t: Test, env: Environment = {}) {
  const first = await testServer(t, { ...sharedKey, ...env })
  return { ...first, urls: [first.url, await serverOn(t, first.connection, env)] as const }
}

/** Begins another session of an account. */
export async function logIn(url: string, username: string) {
  const json = { username, password }
  const { body, headers } = await makeClient(url).post<{ session: { id: string } }>('v1/session', { json })
  const cookies: Cookies = setCookies(headers)
  return { id: body.session.id, cookies, token: cookies.session?.value ?? '' }
}

export type Verdict = 'live' | 'ended' | 'unknown'

/**
 * Whether a server accepts an access token. The request is invalid, so that only authentication can query the database: a
 * server that accepts the session answers 400.
 */
export async function verdict(client: Client | string, token: string): Promise<Verdict> {
  const sender = typeof client === 'string' ? makeClient(client) : client
  const headers = { cookie: `session=${token}` }
  const { statusCode } = await sender.get('v1/sessions?limit=0', { headers })
  const verdicts: Record<number, Verdict> = { 400: 'live', 401: 'ended', 503: 'unknown' }
  const found = verdicts[statusCode]
  if (!found) throw new Error(`unexpected status ${statusCode}`)
  return found
}

/**
 * Sends requests until the session is refused, for at most 5 seconds.
 * @returns when the last request that was not refused was sent, in milliseconds from now; 0 if there was none
 */
export async function lastLiveMs(client: Client | string, token: string): Promise<number> {
  const start = performance.now()
  for (let last = 0; ; await delay(5)) {
    const sentAt = performance.now() - start
    if (sentAt > 5_000 || (await verdict(client, token)) === 'ended') return last
    last = sentAt
  }
}
