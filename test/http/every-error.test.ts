import t, { type Test } from 'tap'
import { resetPassword } from '../../src/accounts/reset-password.ts'
import { ProblemBody, type ProblemCode } from '../../src/http/problems.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, password, signUp, testServer } from '../helper.ts'
import { atQuarterHour } from '../limits/quarter-hour.ts'
import { enrol } from '../second-factor/authenticator.ts'
import { serverOn } from '../sessions/servers.ts'
import { type Answer, ask, cookieOf, expectProblem, field, raw } from './wire.ts'

const seen = new Set<ProblemCode>()

function expectSeen(t: Test, answer: Answer | undefined, code: ProblemCode, name?: string): void {
  seen.add(code)
  expectProblem(t, answer, code, name)
}

t.test('a server answers every error of the contract as a problem', { timeout: 180_000 }, async (t) => {
  const { port, url, app, db, lines } = await testServer(t)
  const slow = raw(port, 'GET /v1/posts HTTP/1.1\r\nHost: localhost\r\n')
  const ann = { cookie: await cookieOf(port, 'ann') }
  const bob = { cookie: await cookieOf(port, 'bob') }
  const post = await ask(port, 'POST', '/v1/posts', { headers: ann, json: { text: 'Once' } })
  const path = `/v1/posts/${field(post.body, 'id')}`

  const cases: [ProblemCode, string, string, Parameters<typeof ask>[3]?][] = [
    ['validation', 'POST', '/v1/accounts', { json: {} }],
    ['malformed-json', 'POST', '/v1/session', { headers: { 'content-type': 'application/json' }, body: '{' }],
    ['unauthenticated', 'GET', '/v1/account'],
    ['invalid-credentials', 'POST', '/v1/session', { json: { username: 'ann', password: 'wrong' } }],
    ['forbidden', 'PATCH', path, { headers: bob, json: { text: 'Mine' } }],
    ['forbidden', 'DELETE', path, { headers: bob }],
    ['cross-site', 'POST', '/v1/posts', { headers: { ...ann, origin: 'https://evil.example' }, json: { text: 'x' } }],
    ['confirmation-required', 'DELETE', '/v1/sessions', { headers: ann }],
    ['not-found', 'GET', '/v1/accounts/no_account'],
    ['not-found', 'GET', '/nowhere'],
    ['method-not-allowed', 'PUT', '/v1/posts', { json: {} }],
    ['username-taken', 'POST', '/v1/accounts', { json: { username: 'ANN', password } }],
    ['payload-too-large', 'POST', '/v1/posts', { headers: ann, json: { text: 'x'.repeat(20_000) } }],
    ['uri-too-long', 'GET', `/v1/posts?cursor=${'x'.repeat(5_000)}`],
    ['unsupported-media-type', 'POST', '/v1/session', { headers: { 'content-type': 'text/plain' }, body: 'x' }],
    ['headers-too-large', 'GET', '/v1/posts', { headers: { 'x-padding': 'x'.repeat(17_000) } }],
  ]
  for (const [code, method, path, options] of cases) {
    expectSeen(t, await ask(port, method, path, options), code, `${code} by ${method} ${path.slice(0, 30)}`)
  }

  await cookieOf(port, 'eve')
  const reset = await resetPassword(app.mongo.client, db.databaseName, 'eve', { cost: 4, peppers: [] })
  const oneTime = reset.outcome === 'reset' ? reset.password : ''
  const login = await ask(port, 'POST', '/v1/session', { json: { username: 'eve', password: oneTime } })
  const eve = { cookie: (login.headers['set-cookie'] ?? []).map((cookie) => cookie.split(';')[0]).join('; ') }
  expectSeen(t, await ask(port, 'GET', '/v1/account', { headers: eve }), 'password-change-required')

  const { client, username } = await signUp(url)
  await enrol(client)
  const json = { username, password }
  expectSeen(t, await ask(port, 'POST', '/v1/session', { json }), 'second-factor-required')

  const withKey = { ...ann, 'idempotency-key': 'one' }
  await ask(port, 'POST', '/v1/posts', { headers: withKey, json: { text: 'Twice' } })
  const conflict = await ask(port, 'POST', '/v1/posts', { headers: withKey, json: { text: 'Thrice' } })
  expectSeen(t, conflict, 'idempotency-conflict')

  // The server never writes such a document; the response schema refuses it.
  await db.collection('posts').updateOne({}, { $set: { text: { secret: 'of the database' } } })
  const internal = await ask(port, 'GET', path)
  expectSeen(t, internal, 'internal')
  t.notMatch(internal.text, /secret/)
  t.ok(
    lines.some((line) => line.includes(String(internal.headers['x-request-id'])) && line.includes('"stack"')),
    'the log has the stack under the same request id',
  )

  // The signs of life have connections of their own.
  await Promise.all([app.mongo.client.close(), app.signals.client.close()])
  expectSeen(t, await ask(port, 'GET', path), 'database-unavailable')
  expectSeen(t, await ask(port, 'GET', '/v1/account', { headers: ann }), 'database-unavailable')
  expectSeen(t, await ask(port, 'GET', '/health/database'), 'database-unavailable')
  t.match(await ask(port, 'GET', '/health/live'), { status: 200 }, 'liveness does not depend on the database')

  const [timeout] = await slow
  expectSeen(t, timeout, 'request-timeout')
  t.equal(timeout?.headers.connection, 'close')
})

t.test('the second sign-up over LIMIT_SIGNUPS_PER_ADDRESS=1 gets rate-limited', async (t) => {
  atQuarterHour(t)
  const { port } = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '1' })
  await cookieOf(port, 'ann')
  const answer = await ask(port, 'POST', '/v1/accounts', { json: { username: 'bob', password } })
  expectSeen(t, answer, 'rate-limited')
})

t.test('of 250 concurrent logins, those that hashing cannot serve in 15 s get overloaded at once', async (t) => {
  const { port, url } = await testServer(t, { BCRYPT_COST: '13' })
  // The server then knows how long a hash takes.
  await cookieOf(port, 'ann')
  const gone = new AbortController()
  const body = JSON.stringify({ username: 'no_account', password })
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: gone.signal }
  const logins = Array.from({ length: 250 }, () => fetch(`${url}/v1/session`, options))
  const refusals = logins.map(async (login): Promise<Answer> => {
    const response = await login
    const { status, headers } = response
    const text = await response.text()
    const body: unknown = JSON.parse(text)
    if (field(body, 'code') !== 'overloaded') throw new Error(`answered ${status}`)
    return { status, headers: Object.fromEntries(headers), text, body }
  })
  const refusal = await Promise.any(refusals)
  expectSeen(t, refusal, 'overloaded')
  const seconds = Number(refusal.headers['retry-after'])
  t.ok(seconds > 5 && seconds <= 60, `Retry-After is what the queue needs: ${seconds} s`)
  t.equal((await ask(port, 'GET', '/health/live')).status, 200, 'other requests are answered')
  gone.abort()
  await Promise.allSettled(refusals)
  const logIn = () => ask(port, 'POST', '/v1/session', { json: { username: 'ann', password } })
  t.not(field((await logIn()).body, 'code'), 'overloaded', 'clients that have left keep no place')
})

t.test('a write whose commit gets no answer gets outcome-unknown', { timeout: 120_000 }, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  const port = Number(new URL(await serverOn(t, { ...connection, uri: proxy.uri(db.databaseName) })).port)
  const headers = { cookie: await cookieOf(port, 'ann') }
  proxy.cut({ command: 'commitTransaction', when: 'never', times: 1 })
  const answer = await ask(port, 'PATCH', '/v1/account', { headers, json: { bio: 'Perhaps' } })
  expectSeen(t, answer, 'outcome-unknown')
  t.match(field(answer.body, 'detail'), /GET \/v1\/account /, 'it says how to find out')
})

t.test('the tests above cover the complete catalogue', async (t) => {
  t.same([...seen].sort(), [...ProblemBody.shape.code.options].sort())
})
