import t from 'tap'
import { resetPassword } from '../../src/accounts/reset-password.ts'
import { makeClient, signUp, testServer } from '../helper.ts'
import { codeOf, enrol, firstStep, forgetSteps, secondStep, wrongCodeOf } from '../second-factor/authenticator.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import type { Request } from './authenticator.ts'
import {
  addPasskey,
  type Client,
  confirm,
  confirmBy,
  eventsOf,
  type LoggedIn,
  listPasskeys,
  logInBy,
  loginOptions,
  passkeyEnv,
  passkeyUser,
} from './ceremonies.ts'

t.test('a login with a passkey ends a full row of wrong codes', async (t) => {
  const { url, db } = await testServer(t, { ...passkeyEnv, LIMIT_FAILED_CODES_IN_A_ROW: '2' })
  const { authenticator, client, username } = await passkeyUser(url)
  const { secret } = await enrol(client)
  await forgetSteps(db)
  const logInWith = async (code: string) => {
    const browser = makeClient(url)
    await firstStep(browser, username)
    return (await secondStep(browser, { code })).statusCode
  }
  for (const status of [401, 401, 429]) t.equal(await logInWith(wrongCodeOf(secret)), status)
  t.equal(await logInWith(codeOf(secret)), 429)
  t.equal((await logInBy(makeClient(url), authenticator)).statusCode, 200)
  t.equal(await logInWith(codeOf(secret)), 200)
})

t.test('a login with a passkey', async (t) => {
  const { app, db, url } = await testServer(t, passkeyEnv)

  const send = (client: Client, response: object) => client.post<LoggedIn>('v1/session/passkey', { json: { response } })

  t.test('it needs no username, sets all cookies and ends the session that the browser carried', async (t) => {
    const { authenticator, client, username, passkey } = await passkeyUser(url)
    const { client: browser } = await signUp(url)
    const carried = await browser.jar.getCookieString(url)
    const answer = await logInBy(browser, authenticator)
    t.match(answer, { statusCode: 200, body: { account: { username }, session: { current: true } } })
    t.equal(answer.body.session.confirmedUntil, null, 'a login is no confirmation')
    const cookies = setCookies(answer.headers)
    t.same(Object.keys(cookies).sort(), ['device', 'passkey', 'refresh', 'session'])
    t.equal(cookies.passkey?.value, '', 'the challenge is cleared')
    const earlier = await makeClient(url).get('v1/session', { headers: { cookie: carried } })
    t.equal(earlier.statusCode, 401)
    t.equal((await browser.get('v1/session')).statusCode, 200)
    t.equal((await eventsOf(client))[0], 'login')
    t.match((await listPasskeys(client)).items, [{ id: passkey.id, lastUsedAt: /Z$/ }])
    t.equal((await logInBy(makeClient(url), authenticator, {}, { username: username.toUpperCase() })).statusCode, 200)
  })

  t.test('it is both factors: an account with an authenticator app logs in and confirms without a code', async (t) => {
    const { authenticator, client, username } = await passkeyUser(url)
    await enrol(client)
    const first = await firstStep(makeClient(url), username)
    t.match(first, { statusCode: 401, body: { code: 'second-factor-required' } })
    const browser = makeClient(url)
    t.equal((await logInBy(browser, authenticator)).statusCode, 200)
    t.equal((await confirmBy(browser, authenticator)).statusCode, 200)
  })

  t.test('an authenticator that does not count logs in again and again', async (t) => {
    const { authenticator } = await passkeyUser(url, { counts: false })
    for (let n = 0; n < 3; n += 1) t.equal((await logInBy(makeClient(url), authenticator)).statusCode, 200)
  })

  t.test('the options are the same for every username, and allow any passkey', async (t) => {
    const { username } = await passkeyUser(url)
    const { username: without } = await signUp(url)
    const answers = await Promise.all(
      [{}, { username }, { username: without }, { username: 'no_account' }, { username: '\uD800' }].map((json) =>
        makeClient(url).post<Request>('v1/session/passkey/options', { json }),
      ),
    )
    for (const { statusCode, body, headers } of answers) {
      t.equal(statusCode, 200)
      t.match(body.challenge, /^[\w-]{43}$/)
      const { challenge: _, ...rest } = body
      t.same(rest, { rpId: 'localhost', allowCredentials: [], timeout: 300_000, userVerification: 'required' })
      const attributes = ['HttpOnly', 'Max-Age=300', 'Path=/', 'SameSite=Strict']
      t.same(setCookies(headers).passkey?.attributes, attributes)
    }
    t.equal(new Set(answers.map(({ body }) => body.challenge)).size, answers.length)
    for (const json of [{ username: 'x'.repeat(257) }, { username: 5 }, { more: 1 }])
      t.equal((await makeClient(url).post('v1/session/passkey/options', { json })).statusCode, 400)
  })

  t.test('a challenge serves one attempt, right or wrong', async (t) => {
    const { authenticator } = await passkeyUser(url)
    const browser = makeClient(url)
    const response = authenticator.get(await loginOptions(browser))
    const headers = { cookie: await browser.jar.getCookieString(url) }
    const replay = () => makeClient(url).post('v1/session/passkey', { headers, json: { response } })
    t.equal((await replay()).statusCode, 200)
    t.equal((await replay()).statusCode, 401, 'a replayed response')
    const options = await loginOptions(browser)
    t.equal((await send(browser, authenticator.get(options, { userVerified: false }))).statusCode, 401)
    t.equal((await send(browser, authenticator.get(options))).statusCode, 401, 'the right one comes too late')
    const more = await loginOptions(browser)
    t.equal((await send(browser, authenticator.get(more, { challenge: 'x'.repeat(43) }))).statusCode, 401)
    t.equal((await send(browser, authenticator.get(more))).statusCode, 401, 'nor after an answer to another challenge')
  })

  t.test('a challenge is of its browser and its purpose', async (t) => {
    const { authenticator, client } = await passkeyUser(url)
    const response = authenticator.get(await loginOptions(makeClient(url)))
    t.equal((await send(makeClient(url), response)).statusCode, 401, 'no cookie')
    const thief = makeClient(url)
    await loginOptions(thief)
    t.equal((await send(thief, response)).statusCode, 401, 'another browser’s cookie')
    const { body } = await client.post<Request>('v1/session/confirm/options')
    t.equal((await send(client, authenticator.get(body))).statusCode, 401, 'a challenge for a confirmation')
    const registration = await client.post<{ challenge: string }>('v1/passkeys/options')
    const options = { ...body, challenge: registration.body.challenge }
    t.equal((await send(client, authenticator.get(options))).statusCode, 401, 'a challenge for a registration')
  })

  t.test('a challenge that an attacker plants neither logs in nor keeps the owner from it', async (t) => {
    const { authenticator, username } = await passkeyUser(url)
    const attacker = makeClient(url)
    const planted = await loginOptions(attacker)
    const { passkey = '' } = Object.fromEntries(
      (await attacker.jar.getCookies(url)).map(({ key, value }) => [key, value]),
    )
    const browser = makeClient(url)
    const response = authenticator.get(await loginOptions(browser))
    const own = await browser.jar.getCookieString(url)
    const headers = { cookie: `passkey=${passkey}; ${own}; passkey=${passkey}` }
    const answer = await makeClient(url).post('v1/session/passkey', { headers, json: { response } })
    t.match(answer, { statusCode: 200, body: { account: { username } } })
    t.equal((await send(attacker, response)).statusCode, 401, 'the response is of no use for the attacker’s cookie')
    const late = authenticator.get(planted)
    const victim = await makeClient(url).post('v1/session/passkey', {
      headers: { cookie: own },
      json: { response: late },
    })
    t.equal(victim.statusCode, 401, 'nor is the attacker’s challenge in the owner’s browser')
  })

  t.test('a one-time password that waits for its owner stays as it is', async (t) => {
    const { authenticator, username } = await passkeyUser(url)
    const reset = await resetPassword(app.mongo.client, db.databaseName, username, { cost: 4, peppers: [] })
    const browser = makeClient(url)
    t.equal((await logInBy(browser, authenticator)).statusCode, 200)
    t.equal((await browser.get('v1/account')).statusCode, 200, 'its session may do everything')
    const json = { username, password: reset.outcome === 'reset' ? reset.password : '' }
    const other = makeClient(url)
    t.equal((await other.post('v1/session', { json })).statusCode, 200)
    t.match(await other.post('v1/passkeys/options'), { statusCode: 403, body: { code: 'password-change-required' } })
    t.equal((await other.post('v1/session/confirm/options')).statusCode, 403)
  })
})

t.test('over https the challenge cookie has the __Host- prefix', async (t) => {
  const { url } = await testServer(t, { COOKIE_SECURE: 'true', PUBLIC_ORIGIN: 'https://rookery.example' })
  const { headers, body } = await makeClient(url).post<Request>('v1/session/passkey/options', { json: {} })
  t.equal(body.rpId, 'rookery.example')
  t.match(headers['set-cookie'], [/^__Host-passkey=.*; Secure/])
})

t.test('a passkey of a deleted account adds nothing to another one', async (t) => {
  const { url } = await testServer(t, passkeyEnv)
  const deleted = await passkeyUser(url)
  await deleted.client.delete('v1/account')
  const { client } = await signUp(url)
  await confirm(client)
  t.equal((await addPasskey(client, deleted.authenticator)).statusCode, 201)
  t.equal((await logInBy(makeClient(url), deleted.authenticator)).statusCode, 401, 'its first passkey')
})
