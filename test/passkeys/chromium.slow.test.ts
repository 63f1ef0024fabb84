import type { Page } from 'playwright-core'
import t from 'tap'
import { inChromium, openChromium } from '../clients/chromium.ts'
import { password, testServer } from '../helper.ts'

type Answer<Body> = { status: number; body: Body | undefined }
type Credential = { id?: string; error?: string }
type Activity = { items: { event: string }[] }

/** Sends a request as a script of the page does. */
const send = <Body = { code?: string }>(page: Page, method: string, path: string, body?: object) =>
  page.evaluate<Answer<Body>>(`(async () => {
    const headers = ${body === undefined ? '{}' : '{ "content-type": "application/json" }'}
    const body = ${JSON.stringify(JSON.stringify(body)) ?? 'undefined'}
    const response = await fetch(${JSON.stringify(path)}, { method: ${JSON.stringify(method)}, headers, body })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  })()`)

/** What the authenticator makes of options, or the name of the browser's error. */
const answer = (page: Page, method: 'create' | 'get', options: object | undefined) =>
  page.evaluate<Credential>(`(async () => {
    const parse = PublicKeyCredential.parse${method === 'create' ? 'Creation' : 'Request'}OptionsFromJSON
    try {
      const publicKey = parse.call(PublicKeyCredential, ${JSON.stringify(options)})
      return (await navigator.credentials.${method}({ publicKey })).toJSON()
    } catch (error) {
      return { error: error.name }
    }
  })()`)

t.test('passkeys in Chromium, with its virtual authenticator', inChromium, async (t) => {
  const { port } = await testServer(t)
  const context = await openChromium(t)
  const page = await context.newPage()
  await page.goto(`http://localhost:${port}/`)
  const cdp = await context.newCDPSession(page)
  await cdp.send('WebAuthn.enable')
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
    },
  })
  const username = 'passkey_user'

  async function logIn(change: object = {}) {
    const options = await send<object>(page, 'POST', '/v1/session/passkey/options', {})
    const response = await answer(page, 'get', { ...options.body, ...change })
    return response.error ? response : send(page, 'POST', '/v1/session/passkey', { response })
  }

  await t.test('a passkey is registered', async (t) => {
    t.equal((await send(page, 'POST', '/v1/accounts', { username, password })).status, 201)
    t.equal((await send(page, 'POST', '/v1/session/confirm', { password })).status, 200)
    const options = await send<object>(page, 'POST', '/v1/passkeys/options')
    const response = await answer(page, 'create', options.body)
    const added = await send(page, 'POST', '/v1/passkeys', { response, name: 'Chromium' })
    t.match(added, { status: 201, body: { name: 'Chromium', lastUsedAt: null, backedUp: false } })
    const again = await send<object>(page, 'POST', '/v1/passkeys/options')
    t.same(await answer(page, 'create', again.body), { error: 'InvalidStateError' }, 'the authenticator has one')
  })

  await t.test('it logs in without a username, and confirms the session', async (t) => {
    t.equal((await send(page, 'DELETE', '/v1/session')).status, 204)
    t.match(await logIn(), { status: 200, body: { account: { username } } })
    t.match(await send(page, 'DELETE', '/v1/sessions'), { status: 403, body: { code: 'confirmation-required' } })
    const options = await send<object>(page, 'POST', '/v1/session/confirm/options')
    const passkey = await answer(page, 'get', options.body)
    t.equal((await send(page, 'POST', '/v1/session/confirm', { passkey })).status, 200)
    t.equal((await send(page, 'DELETE', '/v1/sessions')).status, 204)
  })

  await t.test(
    'without user verification the browser refuses, and so does the server if a script asks for less',
    async (t) => {
      await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
      t.same(await logIn(), { error: 'NotAllowedError' })
      t.match(await logIn({ userVerification: 'discouraged' }), { status: 401, body: { code: 'invalid-credentials' } })
      await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true })
      t.match(await logIn(), { status: 200 })
    },
  )

  await t.test('a copy with a lower counter is refused, and the owner sees it', async (t) => {
    const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId })
    const [credential] = credentials
    t.match(await logIn(), { status: 200 })
    if (!credential) throw new Error('the authenticator has no passkey')
    const { credentialId } = credential
    await cdp.send('WebAuthn.removeCredential', { authenticatorId, credentialId })
    await cdp.send('WebAuthn.addCredential', { authenticatorId, credential: { ...credential, signCount: 1 } })
    t.match(await logIn(), { status: 401, body: { code: 'invalid-credentials' } })
    const { body } = await send<Activity>(page, 'GET', '/v1/account/activity')
    t.equal(body?.items[0]?.event, 'passkey-cloned')
  })

  await t.test('a removed passkey logs in no more', async (t) => {
    t.equal((await send(page, 'POST', '/v1/session/confirm', { password })).status, 200)
    const { body } = await send<{ items: { id: string }[] }>(page, 'GET', '/v1/passkeys')
    t.equal((await send(page, 'DELETE', `/v1/passkeys/${body?.items[0]?.id}`)).status, 204)
    t.match(await logIn(), { status: 401, body: { code: 'invalid-credentials' } })
  })
})
