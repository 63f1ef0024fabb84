import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import type { Lies, Request } from './authenticator.ts'
import { confirm, confirmBy, eventsOf, listPasskeys, logInBy, passkeyEnv, passkeyUser } from './ceremonies.ts'

t.test('confirming a session with a passkey', async (t) => {
  const { url } = await testServer(t, passkeyEnv)

  /** A session that has not been confirmed. */
  async function newcomer() {
    const user = await passkeyUser(url)
    const browser = makeClient(url)
    await browser.post('v1/session', { json: { username: user.username, password } })
    return { ...user, browser }
  }

  t.test('it permits what a confirmation with the password does', async (t) => {
    const { authenticator, browser, client } = await newcomer()
    t.equal((await browser.delete('v1/sessions')).statusCode, 403)
    const { body } = await browser.post<Request>('v1/session/confirm/options')
    t.match(body, {
      challenge: /^[\w-]{43}$/,
      rpId: 'localhost',
      allowCredentials: [{ id: authenticator.credentials[0]?.id.toString('base64url'), transports: ['internal'] }],
      userVerification: 'required',
    })
    const answer = await confirmBy(browser, authenticator)
    t.match(answer, { statusCode: 200, body: { session: { confirmedUntil: /Z$/ } } })
    t.same(Object.keys(setCookies(answer.headers)).sort(), ['passkey', 'refresh', 'session'])
    t.match((await listPasskeys(client)).items, [{ lastUsedAt: /Z$/ }])
    t.equal((await eventsOf(browser))[0], 'session-confirmed')
    t.equal((await browser.delete('v1/sessions')).statusCode, 204)
    t.equal((await browser.post('v1/session/refresh')).statusCode, 200, 'the refresh token is the next one')
  })

  t.test('an authenticator that gives no user handle confirms', async (t) => {
    const { authenticator, browser } = await newcomer()
    const { body } = await browser.post<Request>('v1/session/confirm/options')
    const { response, ...rest } = authenticator.get(body)
    const { userHandle: _, ...without } = response
    const passkey = { ...rest, response: without }
    t.equal((await browser.post('v1/session/confirm', { json: { passkey } })).statusCode, 200)
  })

  t.test('ten refused passkeys end the session, and passwords count with them', async (t) => {
    const { authenticator, browser, client } = await newcomer()
    const other = await passkeyUser(url)
    const lies: Lies[] = [
      { origin: 'https://evil.example' },
      { rpId: 'evil.example' },
      { userVerified: false },
      { challenge: 'x'.repeat(43) },
      { type: 'webauthn.create' },
    ]
    for (const lie of lies) {
      const { statusCode, body } = await confirmBy(browser, authenticator, lie)
      t.match({ statusCode, body }, { statusCode: 401, body: { code: 'invalid-credentials' } }, JSON.stringify(lie))
    }
    t.equal((await confirmBy(browser, other.authenticator)).statusCode, 401, 'a passkey of another account')
    t.equal((await browser.get('v1/session')).statusCode, 200)
    for (const wrong of ['not it', 'nor it', 'no'])
      t.equal((await browser.post('v1/session/confirm', { json: { password: wrong } })).statusCode, 401)
    t.equal((await browser.get('v1/session')).statusCode, 200)
    t.equal((await confirmBy(browser, authenticator, { userVerified: false })).statusCode, 401, 'the tenth')
    t.equal((await browser.get('v1/session')).statusCode, 401)
    t.equal((await client.get('v1/session')).statusCode, 200, 'the other session goes on')
    t.same((await eventsOf(client)).slice(0, 2), ['session-revoked', 'confirm-failed'])
  })

  t.test('a challenge confirms once, the session that asked for it', async (t) => {
    const { authenticator, browser, client } = await newcomer()
    const { body } = await browser.post<Request>('v1/session/confirm/options')
    const passkey = authenticator.get(body)
    const ownCookies = await client.jar.getCookieString(url)
    const challenge = /passkey=[^;]+/.exec(await browser.jar.getCookieString(url))?.[0]
    const elsewhere = { cookie: `${ownCookies}; ${challenge}` }
    const stolen = await makeClient(url).post('v1/session/confirm', { headers: elsewhere, json: { passkey } })
    t.equal(stolen.statusCode, 401, 'not another session of the account')
    const headers = { cookie: await browser.jar.getCookieString(url) }
    t.equal((await browser.post('v1/session/confirm', { json: { passkey } })).statusCode, 200)
    const replayed = await makeClient(url).post('v1/session/confirm', { headers, json: { passkey } })
    t.equal(replayed.statusCode, 401)
    t.notOk((await eventsOf(client)).includes('passkey-cloned'), 'a replay is no sign of a clone')
  })

  t.test('a counter that goes back counts as a failure, and is an event', async (t) => {
    const { authenticator, browser } = await newcomer()
    t.equal((await confirmBy(browser, authenticator, { counter: 5 })).statusCode, 200)
    t.equal((await confirmBy(browser, authenticator, { counter: 5 })).statusCode, 401)
    t.same((await eventsOf(browser)).slice(0, 2), ['confirm-failed', 'passkey-cloned'])
  })

  t.test('a login’s challenge confirms nothing', async (t) => {
    const { authenticator, browser } = await newcomer()
    const { body } = await browser.post<Request>('v1/session/passkey/options', { json: {} })
    const passkey = authenticator.get(body)
    t.equal((await browser.post('v1/session/confirm', { json: { passkey } })).statusCode, 401)
  })

  t.test('the body has a password or a passkey', async (t) => {
    const { authenticator, browser } = await newcomer()
    const { body } = await browser.post<Request>('v1/session/confirm/options')
    const passkey = authenticator.get(body)
    for (const [pointer, json] of [
      ['/body/password', {}],
      ['/body/passkey', { password, passkey }],
      ['/body/passkey', { passkey: 'x' }],
      [
        '/body/passkey/response/signature',
        { passkey: { ...passkey, response: { ...passkey.response, signature: '' } } },
      ],
    ] as const) {
      const refused = await browser.post<{ errors: { pointer: string }[] }>('v1/session/confirm', { json })
      t.equal(refused.statusCode, 400)
      t.equal(refused.body.errors[0]?.pointer, pointer)
    }
    t.equal((await browser.post('v1/session/confirm', { json: { passkey } })).statusCode, 200)
  })

  t.test('without a passkey there are no options', async (t) => {
    const { client } = await signUp(url)
    const none = await client.post('v1/session/confirm/options')
    t.match(none, { statusCode: 404, body: { code: 'not-found', detail: /no passkey/ } })
    t.equal((await confirm(client)).statusCode, 200)
  })

  t.test('a session that a passkey began can be confirmed by it', async (t) => {
    const { authenticator } = await passkeyUser(url)
    const browser = makeClient(url)
    await logInBy(browser, authenticator)
    t.equal((await browser.post('v1/passkeys/options')).statusCode, 403)
    t.equal((await confirmBy(browser, authenticator)).statusCode, 200)
    t.equal((await browser.post('v1/passkeys/options')).statusCode, 200)
  })
})
