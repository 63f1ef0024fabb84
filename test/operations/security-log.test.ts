import { Writable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { createLogger } from '../../src/operations/logging.ts'
import { securityEventNames } from '../../src/operations/security-events.ts'
import { securityLog } from '../../src/operations/security-log.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, makeClient, password, signUp, testConfig, testServer } from '../helper.ts'
import { ask } from '../http/wire.ts'
import { logInBy, passkeyEnv, passkeyUser } from '../passkeys/ceremonies.ts'
import { enrol, firstStep, secondStep, wrongCodeOf } from '../second-factor/authenticator.ts'
import { carried, setCookies } from '../sessions/set-cookies.ts'

type Line = {
  level: number
  log?: string
  event: string
  outcome: string
  reqId?: string
  ip?: string
  account?: string
  nameHash?: string
  detail?: Record<string, string | number>
  suppressed?: number
}

const securityLines = (lines: readonly string[]) =>
  lines.map((line): Line => JSON.parse(line)).filter(({ log }) => log === 'security')

t.test('each security event is one line with address, account, request and outcome', async (t) => {
  const { url, lines, port, db } = await testServer(t, {
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '1',
    LIMIT_FAILED_CODES_PER_ACCOUNT: '1',
  })
  let read = 0
  const next = () => {
    const found = securityLines(lines).slice(read)
    read += found.length
    return found
  }
  const logIn = (username: string, presented = password) =>
    makeClient(url).post('v1/session', { json: { username, password: presented } })
  const { client, username } = await signUp(url)
  const { id: account } = (await client.get<{ id: string }>('v1/account')).body

  const [created, ...others] = next()
  t.match(created, { event: 'user_created', outcome: 'success', level: 30, ip: '127.0.0.1', account })
  t.match(created?.reqId, /^[0-9a-f-]{36}$/)
  t.same(others, [])

  t.test('logins, and the limit on those that fail', async (t) => {
    await logIn(username, 'a wrong one')
    t.match(next(), [{ event: 'authn_login_fail', outcome: 'failure', level: 40, ip: '127.0.0.1', account }])
    await logIn(username)
    t.match(next(), [
      { event: 'authn_login_fail_max', detail: { limit: 'failed-logins-by-account-and-address' }, account },
    ])
    await db.collection('attempts').deleteMany({})
    const { headers } = await logIn(username)
    t.match(next(), [{ event: 'authn_login_success', outcome: 'success', account }])
    await makeClient(url).delete('v1/session', { headers: carried(setCookies(headers), 'session', 'refresh') })
    t.match(next(), [{ event: 'session_expired', account, detail: { reason: 'logout' } }])
  })

  t.test('a name that no account has is logged as a keyed hash', async (t) => {
    for (const name of ['My Secret Password', 'my secret password', 'another one']) await logIn(name)
    const [first, second, third] = next()
    t.match(first, { event: 'authn_login_fail', nameHash: /^[\w-]{43}$/ })
    t.equal(first?.account, undefined)
    t.match(second, { event: 'authn_login_fail_max', nameHash: first?.nameHash ?? 'none' }, 'the same in any case')
    t.not(third?.nameHash, first?.nameHash)
    t.notMatch(lines.join('\n'), /secret password|another one/i)
    t.equal(await db.collection('activity').countDocuments({ event: 'login-failed' }), 1, 'and has no activity')
    t.notMatch(JSON.stringify(await db.collection<{ _id: string }>('attempts').find().toArray()), /secret|another/i)
  })

  t.test('what happens inside a session', async (t) => {
    const other = await logIn(username)
    next()
    await client.post('v1/session/confirm', { json: { password: 'a wrong one' } })
    t.match(next(), [{ event: 'authn_confirm_fail', outcome: 'failure', account }])
    await client.get('v1/account/export')
    t.match(next(), [{ event: 'authz_fail', account, detail: { reason: 'confirmation-required' } }])
    await client.post('v1/session/confirm', { json: { password } })
    t.match(next(), [{ event: 'authn_confirm_success', account }])
    await client.get('v1/account/export', { responseType: 'text' })
    t.match(next(), [{ event: 'sensitive_read', account, detail: { what: 'export' } }])
    await client.delete('v1/sessions')
    t.match(next(), [{ event: 'session_expired', account, detail: { reason: 'revoked', count: 1 } }])
    const { headers } = await logIn(username)
    const copied = carried(setCookies(headers), 'refresh')
    await makeClient(url).post('v1/session/refresh', { headers: copied })
    await db.collection('sessions').updateMany({}, { $set: { refreshedAt: new Date(0) } })
    next()
    await makeClient(url).post('v1/session/refresh', { headers: copied })
    t.match(next(), [{ event: 'authn_token_reuse', outcome: 'failure', account }])
    t.ok(other.statusCode === 200)
  })

  t.test('a second factor, and the limit on wrong codes', async (t) => {
    const owner = await signUp(url)
    const { id: account } = (await owner.client.get<{ id: string }>('v1/account')).body
    next()
    const { secret, recoveryCodes } = await enrol(owner.client)
    t.match(next(), [
      { event: 'authn_confirm_success' },
      { event: 'authn_factor_change', outcome: 'success', account, detail: { change: 'totp-enrolled' } },
    ])
    const login = makeClient(url)
    await firstStep(login, owner.username)
    t.match(next(), [{ event: 'authn_second_factor_required', outcome: 'success', account }])
    await secondStep(login, { code: wrongCodeOf(secret) })
    t.match(next(), [{ event: 'authn_second_factor_fail', outcome: 'failure', account, ip: '127.0.0.1' }])
    await secondStep(login, { code: wrongCodeOf(secret) })
    t.match(next(), [{ event: 'authn_login_fail_max', account, detail: { limit: 'failed-codes-by-account' } }])
    await secondStep(login, { recoveryCode: recoveryCodes[0] })
    t.match(next(), [{ event: 'authn_login_success', account }])
    t.notMatch(lines.join('\n'), new RegExp([secret, ...recoveryCodes].join('|')), 'no line has a secret or a code')
  })

  t.test('a password change, the tenth wrong password, and a deletion', async (t) => {
    const owner = await signUp(url)
    const changed = 'seven grey owls knit at 5 again'
    next()
    const json = { currentPassword: password, newPassword: changed }
    t.equal((await owner.client.put('v1/account/password', { json })).statusCode, 204)
    t.match(next(), [{ event: 'authn_password_change', outcome: 'success' }])
    await owner.client.post('v1/session/confirm', { json: { password: changed } })
    await owner.client.delete('v1/account')
    t.match(next(), [{ event: 'authn_confirm_success' }, { event: 'user_deleted' }])
    const victim = await signUp(url)
    next()
    for (let n = 0; n < 10; n += 1) await victim.client.post('v1/session/confirm', { json: { password: 'wrong' } })
    const found = next()
    t.same(
      found.map(({ event }) => event),
      [...Array(10).fill('authn_confirm_fail'), 'session_expired'],
    )
    t.same(found.at(-1)?.detail, { reason: 'wrong-passwords' })
  })

  t.test('forged tokens, cross-site requests and other accounts’ posts', async (t) => {
    const ann = await signUp(url)
    const post = await client.post<{ id: string }>('v1/posts', { json: { text: 'Mine' } })
    const token = (await ann.client.jar.getCookies(url)).find(({ key }) => key === 'session')?.value ?? ''
    next()
    const forged = `${token.slice(0, token.lastIndexOf('.'))}.${'A'.repeat(43)}`
    await ask(port, 'GET', '/v1/account', { headers: { cookie: `session=${forged}` } })
    t.match(next(), [{ event: 'authn_token_forged', ip: '127.0.0.1', detail: { reason: 'signature' } }])
    await ask(port, 'GET', '/v1/account', { headers: { cookie: 'session=junk' } })
    t.same(next(), [], 'what is no token forges none')
    await ask(port, 'POST', '/v1/session', { headers: { origin: 'https://evil.example' }, json: {} })
    t.match(next(), [{ event: 'malicious_cors', ip: '127.0.0.1' }])
    await ann.client.delete(`v1/posts/${post.body.id}`)
    t.match(next(), [{ event: 'authz_fail', detail: { reason: 'forbidden' } }])
  })
})

t.test('passkeys: added, used, copied and removed', async (t) => {
  const { url, lines } = await testServer(t, passkeyEnv)
  const { authenticator, client, passkey } = await passkeyUser(url)
  const account = (await client.get<{ id: string }>('v1/account')).body.id
  await logInBy(makeClient(url), authenticator)
  await logInBy(makeClient(url), authenticator, { counter: 1 })
  await logInBy(makeClient(url), authenticator, { userVerified: false })
  await client.delete(`v1/passkeys/${passkey.id}`)
  t.match(securityLines(lines).slice(2), [
    { event: 'authn_passkey_added', outcome: 'success', account },
    { event: 'authn_login_success', outcome: 'success', account },
    { event: 'authn_passkey_cloned', outcome: 'failure', account },
    { event: 'authn_login_fail', outcome: 'failure', account },
    { event: 'authn_login_fail', outcome: 'failure', account },
    { event: 'authn_passkey_removed', outcome: 'success', account },
  ])
})

t.test('a limit that refuses is logged with its name', async (t) => {
  const { url, lines } = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '1' })
  await signUp(url)
  await t.rejects(signUp(url))
  t.match(securityLines(lines).at(-1), { event: 'excess_rate_limit_exceeded', detail: { limit: 'signups' } })
})

t.test('the security log does not depend on LOG_LEVEL, and SECURITY_LOG=off ends it', async (t) => {
  const database = await freshDatabase(t)
  for (const [SECURITY_LOG, expected] of [
    ['stdout', ['user_created']],
    ['off', []],
  ] as const) {
    const lines: string[] = []
    const sink = new Writable({
      write: (line, _encoding, done) => {
        lines.push(String(line))
        done()
      },
    })
    const log = createLogger({ level: 'silent', readable: false }, sink)
    const app = await buildApp(await testConfig(database.connection, { SECURITY_LOG }), database.connection, log)
    const json = { username: `ann_${SECURITY_LOG}`, password }
    t.equal((await app.inject({ method: 'POST', url: '/v1/accounts', payload: json })).statusCode, 201)
    t.match(await app.metrics.metrics(), /^rookery_security_events_total\{event="user_created"\} 1$/m)
    await app.close()
    t.same(
      securityLines(lines).map(({ event }) => event),
      expected,
    )
    t.equal(lines.length, expected.length, 'and nothing else is logged')
  }
})

t.test('a flood of failures writes 60 lines a minute and counts the others; successes are all logged', async (t) => {
  const lines: string[] = []
  const log = pino({ level: 'silent' }, { write: (line) => void lines.push(line) })
  const registry = new Registry()
  const security = securityLog({ log, isOn: true, nameKey: 'a key', registry, windowMs: 200 })
  for (let n = 0; n < 1_000; n += 1) security.record('malicious_cors')
  for (let n = 0; n < 100; n += 1) security.record('authn_login_success')
  security.record('authz_fail')
  const of = (event: string) => securityLines(lines).filter((line) => line.event === event)
  t.equal(of('malicious_cors').length, 60)
  t.equal(of('authn_login_success').length, 100)
  t.equal(of('authz_fail').length, 1, 'no event suppresses another')
  await eventually(() => of('malicious_cors').length === 61)
  t.match(of('malicious_cors').at(-1), { suppressed: 940, outcome: 'failure' })
  security.record('malicious_cors')
  t.equal(of('malicious_cors').length, 62, 'the next minute has lines again')
  for (let n = 0; n < 62; n += 1) security.record('authz_fail')
  security.close()
  t.ok(
    of('authz_fail').some(({ suppressed }) => suppressed !== undefined),
    'a server that closes logs the rest',
  )
  t.match(await registry.metrics(), /^rookery_security_events_total\{event="malicious_cors"\} 1001$/m)
})

t.test('a flood of one network hides no failure of another, and several fill no disk', (t) => {
  const lines: string[] = []
  const log = pino({ level: 'silent' }, { write: (line) => void lines.push(line) })
  const security = securityLog({ log, isOn: true, nameKey: 'a key' })
  const from = (ip: string) => security.record('authn_token_forged', { request: { client: { ip } } as FastifyRequest })
  for (let n = 0; n < 200; n += 1) from(`2001:db8:bad:${n.toString(16)}::1`)
  from('192.0.2.1')
  const logged = () => securityLines(lines).map(({ ip }) => ip)
  t.equal(logged().length, 61)
  t.equal(logged().at(-1), '192.0.2.1')
  for (let n = 0; n < 1_000; n += 1) from(`198.51.${n % 100}.1`)
  t.equal(logged().length, 300)
  security.close()
  t.end()
})

t.test('every event has a time series from the start, and no other label', async (t) => {
  const registry = new Registry()
  securityLog({ log: pino({ level: 'silent' }), isOn: true, nameKey: '', registry })
  const series = [...(await registry.metrics()).matchAll(/^rookery_security_events_total\{(.*)\} 0$/gm)]
  t.same(
    series.map(([, labels]) => labels),
    securityEventNames.map((event) => `event="${event}"`),
  )
})
