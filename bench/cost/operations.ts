import { randomBytes } from 'node:crypto'
import { Secret, TOTP } from 'otpauth'
import { newId } from '../../src/database/ids.ts'
import { type Creation, type Request, softwareAuthenticator } from '../../test/passkeys/authenticator.ts'
import { type Account, type Browser, browser, logIn, password, signUp } from './browser.ts'
import type { Sent } from './client.ts'
import type { World } from './fill.ts'
import { origin } from './server.ts'

/** One that can be repeated; or several, each of which serves once. */
export type Plain = Sent | readonly Sent[]

/** Makes an operation's plainest right request. */
export type Recipe = () => Promise<Plain> | Plain

/** @property large - as large as an account can get. @property small - another, whose session is confirmed */
export type Setting = World & { port: number; large: Account; small: Account }

const onceCount = 40
/** Of what needs a new account each time. */
const accountCount = 12

const idsIn = (page: unknown) => (page as { items: { id: string }[] }).items.map(({ id }) => id) // by the contract
const idIn = (body: unknown) => (body as { id: string }).id // by the contract
const codeOf = (secret: string) => new TOTP({ secret: Secret.fromBase32(secret) }).generate()
const newName = () => `u${randomBytes(8).toString('hex')}`
/** Of a link, for this account. */
const newToken = (id: string) => Buffer.concat([Buffer.from(id.replaceAll('-', ''), 'hex'), randomBytes(16)])

/** The plainest right request of each operation, by method and path. */
export function recipes({ port, large, small, popular, usernames }: Setting): Record<string, Recipe> {
  const [person = ''] = usernames
  const [first = '', second = ''] = usernames.slice(1)

  function sent(by: Browser | undefined, method: string, path: string, json?: object, names = ['session']): Sent {
    const headers = { ...by?.header(names), ...(json && { 'content-type': 'application/json' }) }
    return { method, path, headers, ...(json && { body: JSON.stringify(json) }) }
  }
  const read = (path: string) => () => sent(large.browser, 'GET', path)
  const open = (path: string) => () => sent(undefined, 'GET', path)
  const change = (method: string, path: string, json?: object) => () => sent(small.browser, method, path, json)

  async function times<Item>(count: number, make: (n: number) => Promise<Item>): Promise<Item[]> {
    const made: Item[] = []
    for (let n = 0; n < count; n += 1) made.push(await make(n))
    return made
  }

  const ofAccounts = (make: (account: Account) => Promise<Sent> | Sent) => () =>
    times(accountCount, async () => make(await signUp(port, newName())))

  const ofSessions = (make: (account: Account) => Promise<Sent> | Sent) => () =>
    times(onceCount, async () => make(await logIn(port, small)))

  const post = async (account: Account) => idIn(await account.browser.send('POST', '/v1/posts', { text: 'Hello' }))

  async function addPasskey({ browser }: Account, authenticator = softwareAuthenticator(origin)) {
    const options = (await browser.send('POST', '/v1/passkeys/options')) as Creation // by its schema
    const passkey = idIn(await browser.send('POST', '/v1/passkeys', { response: authenticator.create(options) }))
    return { authenticator, passkey }
  }

  async function enrol({ browser }: Account): Promise<string[]> {
    const { secret } = (await browser.send('POST', '/v1/second-factor/totp')) as { secret: string } // by its schema
    const confirmed = await browser.send('POST', '/v1/second-factor/totp/confirm', { code: codeOf(secret) })
    return (confirmed as { recoveryCodes: string[] }).recoveryCodes // by its schema
  }

  return {
    'POST /v1/accounts': () =>
      times(onceCount, async () => sent(undefined, 'POST', '/v1/accounts', { username: newName(), password })),
    'GET /v1/accounts/{username}': read(`/v1/accounts/${person}`),
    'GET /v1/accounts/{username}/posts': read(`/v1/accounts/${large.username}/posts`),
    'GET /v1/accounts/{username}/followers': read(`/v1/accounts/${large.username}/followers`),
    'GET /v1/accounts/{username}/following': read(`/v1/accounts/${large.username}/following`),
    'PUT /v1/accounts/{username}/follow': change('PUT', `/v1/accounts/${first}/follow`),
    'DELETE /v1/accounts/{username}/follow': change('DELETE', `/v1/accounts/${second}/follow`),
    'GET /v1/account': read('/v1/account'),
    'PATCH /v1/account': change('PATCH', '/v1/account', { displayName: 'Robin', bio: 'Counts the birds.' }),
    'DELETE /v1/account': ofAccounts(({ browser }) => sent(browser, 'DELETE', '/v1/account')),
    'PUT /v1/account/password': ofAccounts(({ browser }) =>
      sent(browser, 'PUT', '/v1/account/password', { currentPassword: password, newPassword: `${password} again` }),
    ),
    'GET /v1/account/email': read('/v1/account/email'),
    'PUT /v1/account/email': change('PUT', '/v1/account/email', { email: 'small@mail.example' }),
    'DELETE /v1/account/email': change('DELETE', '/v1/account/email'),
    'POST /v1/email-verification': () =>
      sent(undefined, 'POST', '/v1/email-verification', { token: newToken(large.id).toString('base64url') }),
    'POST /v1/password-reset': () => sent(undefined, 'POST', '/v1/password-reset', { username: large.username }),
    'POST /v1/password-reset/confirm': () =>
      sent(undefined, 'POST', '/v1/password-reset/confirm', {
        token: newToken(large.id).toString('base64url'),
        newPassword: `${password} again`,
      }),
    'GET /v1/account/activity': read('/v1/account/activity'),
    'GET /v1/account/export': read('/v1/account/export'),
    'GET /v1/account/reactions': read('/v1/account/reactions'),

    'POST /v1/session': () => sent(undefined, 'POST', '/v1/session', { username: small.username, password }),
    'POST /v1/session/second-factor': async () => {
      const account = await signUp(port, newName())
      const recoveryCodes = await enrol(account)
      return times(recoveryCodes.length, async (n) => {
        const own = browser(port)
        await own.send('POST', '/v1/session', { username: account.username, password }, 401)
        const json = { recoveryCode: recoveryCodes[n] }
        return sent(own, 'POST', '/v1/session/second-factor', json, ['second-factor'])
      })
    },
    'GET /v1/session': read('/v1/session'),
    'DELETE /v1/session': ofSessions(({ browser }) =>
      sent(browser, 'DELETE', '/v1/session', undefined, ['session', 'refresh']),
    ),
    'POST /v1/session/confirm': change('POST', '/v1/session/confirm', { password }),
    'POST /v1/session/confirm/options': async () => {
      await addPasskey(small)
      return sent(small.browser, 'POST', '/v1/session/confirm/options')
    },
    'POST /v1/session/passkey': async () => {
      const { authenticator } = await addPasskey(small)
      return times(onceCount, async () => {
        const own = browser(port)
        const options = (await own.send('POST', '/v1/session/passkey/options', {})) as Request // by its schema
        const json = { response: authenticator.get(options) }
        return sent(own, 'POST', '/v1/session/passkey', json, ['passkey'])
      })
    },
    'POST /v1/session/passkey/options': () => sent(undefined, 'POST', '/v1/session/passkey/options', {}),
    'POST /v1/session/refresh': ofSessions(({ browser }) =>
      sent(browser, 'POST', '/v1/session/refresh', undefined, ['refresh']),
    ),
    'GET /v1/sessions': read('/v1/sessions'),
    'DELETE /v1/sessions': change('DELETE', '/v1/sessions'),
    'DELETE /v1/sessions/{id}': async () => {
      const sessions = await times(
        onceCount,
        async () => idsIn(await (await logIn(port, small)).browser.send('GET', '/v1/sessions?limit=1'))[0],
      )
      return sessions.map((id) => sent(small.browser, 'DELETE', `/v1/sessions/${id}`))
    },

    'POST /v1/passkeys/options': change('POST', '/v1/passkeys/options'),
    'POST /v1/passkeys': async () => {
      const account = await signUp(port, newName())
      const authenticator = softwareAuthenticator(origin)
      return times(accountCount, async () => {
        const options = (await account.browser.send('POST', '/v1/passkeys/options')) as Creation // by its schema
        const json = { response: authenticator.create(options) }
        return sent(account.browser, 'POST', '/v1/passkeys', json, ['session', 'passkey'])
      })
    },
    'GET /v1/passkeys': read('/v1/passkeys'),
    'PATCH /v1/passkeys/{id}': async () => {
      const { passkey } = await addPasskey(small)
      return sent(small.browser, 'PATCH', `/v1/passkeys/${passkey}`, { name: 'Phone' })
    },
    'DELETE /v1/passkeys/{id}': async () => {
      const account = await signUp(port, newName())
      const passkeys = await times(accountCount, () => addPasskey(account))
      return passkeys.map(({ passkey }) => sent(account.browser, 'DELETE', `/v1/passkeys/${passkey}`))
    },
    'GET /v1/devices': read('/v1/devices'),
    'PATCH /v1/devices/{id}': async () => {
      const [device] = idsIn(await small.browser.send('GET', '/v1/devices'))
      return sent(small.browser, 'PATCH', `/v1/devices/${device}`, { name: 'Laptop' })
    },
    'DELETE /v1/devices/{id}': async () => {
      const account = await signUp(port, newName())
      await times(accountCount, () => logIn(port, account))
      const devices = idsIn(await account.browser.send('GET', '/v1/devices'))
      return devices.map((id) => sent(account.browser, 'DELETE', `/v1/devices/${id}`))
    },
    'DELETE /v1/devices': change('DELETE', '/v1/devices'),

    'GET /v1/second-factor': read('/v1/second-factor'),
    'POST /v1/second-factor/totp': change('POST', '/v1/second-factor/totp'),
    'POST /v1/second-factor/totp/confirm': ofAccounts(async ({ browser }) => {
      const { secret } = (await browser.send('POST', '/v1/second-factor/totp')) as { secret: string } // by its schema
      return sent(browser, 'POST', '/v1/second-factor/totp/confirm', { code: codeOf(secret) })
    }),
    'DELETE /v1/second-factor/totp': ofAccounts(async (account) => {
      await enrol(account)
      return sent(account.browser, 'DELETE', '/v1/second-factor/totp')
    }),
    'POST /v1/second-factor/recovery-codes': async () => {
      const account = await signUp(port, newName())
      await enrol(account)
      return sent(account.browser, 'POST', '/v1/second-factor/recovery-codes')
    },

    'POST /v1/posts': change('POST', '/v1/posts', { text: 'Hello from the rookery.' }),
    'GET /v1/posts': read('/v1/posts'),
    'GET /v1/posts/{id}': read(`/v1/posts/${popular}`),
    'PATCH /v1/posts/{id}': async () =>
      sent(small.browser, 'PATCH', `/v1/posts/${await post(small)}`, { text: 'Hello from the rookery, once more.' }),
    'DELETE /v1/posts/{id}': () =>
      times(onceCount, async () => sent(small.browser, 'DELETE', `/v1/posts/${await post(small)}`)),
    'GET /v1/posts/{id}/replies': read(`/v1/posts/${popular}/replies`),
    'PUT /v1/posts/{id}/reaction': change('PUT', `/v1/posts/${popular}/reaction`, { value: 'like' }),
    'DELETE /v1/posts/{id}/reaction': change('DELETE', `/v1/posts/${popular}/reaction`),
    'GET /v1/posts/{id}/reactions': read(`/v1/posts/${popular}/reactions`),
    'GET /v1/pulse': read('/v1/pulse'),
    'GET /v1/stream': read('/v1/stream?scope=timeline'),
    'GET /v1/timeline': read('/v1/timeline'),
    'GET /v1/analytics/reactions': () => {
      const day = (before: number) => new Date(Date.now() - before * 86_400_000).toISOString().slice(0, 10)
      return sent(large.browser, 'GET', `/v1/analytics/reactions?from=${day(365)}&to=${day(0)}`)
    },

    'GET /health/live': open('/health/live'),
    'GET /health/ready': open('/health/ready'),
    'GET /health/database': open('/health/database'),
    'GET /': open('/'),
    'GET /openapi.json': open('/openapi.json'),
    'GET /.well-known/jwks.json': open('/.well-known/jwks.json'),
    // No operation: what the router does not know.
    [unknownPath]: open(`/v1/${newId()}`),
  }
}

export const unknownPath = 'GET /v1/unknown'
