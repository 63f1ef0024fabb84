import { randomBytes } from 'node:crypto'
import type { Db } from 'mongodb'
import { newId } from '../../src/database/ids.ts'
import { eventually } from '../eventually.ts'
import { makeClient, password } from '../helper.ts'
import { ask, type RequestOptions } from '../http/wire.ts'
import { type Mailbox, requestReset, subjects, tokenIn, verifyAddress } from '../mail/mailbox.ts'
import type { Creation, Request } from '../passkeys/authenticator.ts'
import { confirm, passkeyUser } from '../passkeys/ceremonies.ts'
import { beginEnrolment, codeOf, enrol, firstStep, forgetSteps } from '../second-factor/authenticator.ts'
import { setCookies } from '../sessions/set-cookies.ts'

export type User = Awaited<ReturnType<typeof passkeyUser>>

/** @property path - if it is not the operation's own */
export type Sent = RequestOptions & { path?: string }

/** Prepares requests of these accounts, which meet in one object if the operation permits it. @returns the nth request */
export type Recipe = (users: readonly User[]) => Promise<(n: number) => Sent>

export const requestsEach = 100

const wrongPassword = 'not at all this password'

const ids = (body: unknown) => (body as { items: { id: string }[] }).items.map(({ id }) => id) // a page

/** For each operation that writes, named by method and path; what follows them tells several recipes of one apart. */
export function writeRecipes({ url, port, db, box }: { url: string; port: number; db: Db; box: Mailbox }) {
  const cookieOf = ({ client }: Pick<User, 'client'>) => client.jar.getCookieString(`${url}/v1/session`)
  const newName = () => `n${randomBytes(6).toString('hex')}`

  /** Each account repeats one request. */
  const same =
    (prepare: (user: User) => Promise<Sent> | Sent): Recipe =>
    async (users) => {
      const sent = await Promise.all(
        users.map(async (user) => {
          const request = await prepare(user)
          return { ...request, headers: { cookie: await cookieOf(user), ...request.headers } }
        }),
      )
      return (n) => sent[n % users.length] ?? {}
    }

  /** Each request is prepared by itself. */
  const different =
    (prepare: (user: User, n: number) => Promise<Sent>): Recipe =>
    async (users) => {
      const sent: Sent[] = []
      for (let n = 0; n < requestsEach; n += 1) {
        const user = users[n % users.length]
        if (user) sent.push(await prepare(user, n))
      }
      return (n) => sent[n] ?? {}
    }

  async function createPost({ client }: User, json: { text: string; replyTo?: string }): Promise<string> {
    const { body } = await client.post<{ id: string }>('v1/posts', { json })
    return body.id
  }

  /** From one of the account's ten newest sessions. */
  const inOneOfSeveral = (prepare: (user: User, cookie: string) => Promise<Sent>): Recipe => {
    const cookies = new Map<User, string[]>()
    return different(async (user, n) => {
      const known = cookies.get(user) ?? []
      cookies.set(user, known)
      if (known.length < 10) {
        const client = makeClient(url)
        await client.post('v1/session', { json: { username: user.username, password } })
        known.push(await cookieOf({ client }))
      }
      const cookie = known[n % known.length] ?? ''
      const sent = await prepare(user, cookie)
      return { ...sent, headers: { cookie, ...sent.headers } }
    })
  }

  /** With one post of the first account, which all meet in. */
  const onOnePost =
    (prepare: (post: string, user: User) => Promise<Sent> | Sent): Recipe =>
    async (users) => {
      const [author] = users
      const post = author ? await createPost(author, { text: 'All meet here.' }) : ''
      return same((user) => prepare(post, user))(users)
    }

  const onReaction = (json?: object) =>
    onOnePost((post) => ({ path: `/v1/posts/${post}/reaction`, ...(json && { json }) }))

  /** Of one account that all of them follow. */
  const onFollowed =
    (prepare: (username: string, user: User) => Promise<unknown>): Recipe =>
    async (users) => {
      const { username } = await passkeyUser(url)
      return same(async (user) => {
        await prepare(username, user)
        return { path: `/v1/accounts/${username}/follow` }
      })(users)
    }

  /** The options of a ceremony, with the cookie that its challenge is in. */
  async function ceremony(path: string, cookie: string, json?: object) {
    const { body, headers } = await ask(port, 'POST', path, { headers: { cookie }, ...(json && { json }) })
    return { options: body, headers: { cookie: `${cookie}; passkey=${setCookies(headers).passkey?.value}` } }
  }

  const firstId = async ({ client }: User, list: string) => ids((await client.get(list)).body)[0]

  const recipes: Record<string, Recipe> = {
    'POST /v1/accounts': async (users) => {
      // One account: all want the same name.
      const name = newName()
      return () => ({ json: { username: users.length === 1 ? name : newName(), password } })
    },
    'PATCH /v1/account': same(() => ({ json: { bio: 'Counts the owls at the lake.' } })),
    'DELETE /v1/account': same(() => ({})),
    'PUT /v1/account/password': same(() => ({ json: { currentPassword: password, newPassword: password } })),
    'PUT /v1/account/email': same(() => ({ json: { email: 'all-meet-here@mail.example' } })),
    'DELETE /v1/account/email': same(async ({ client }) => {
      await client.put('v1/account/email', { json: { email: `${newName()}@mail.example` } })
      return {}
    }),
    'GET /v1/account/export': same(() => ({})),
    'PUT /v1/accounts/{username}/follow': onFollowed(async () => undefined),
    'DELETE /v1/accounts/{username}/follow': onFollowed((username, { client }) =>
      client.put(`v1/accounts/${username}/follow`),
    ),

    'POST /v1/email-verification': same(async ({ client }) => {
      const email = `${newName()}@mail.example`
      await client.put('v1/account/email', { json: { email } })
      return { json: { token: tokenIn(await box.receive(email, subjects.verify), 'verify') } }
    }),
    'POST /v1/password-reset': async (users) => () => ({ json: { username: users[0]?.username } }),
    'POST /v1/password-reset/confirm': same(async (user) => {
      const email = `${newName()}@mail.example`
      await verifyAddress(url, user, box, email)
      await requestReset(url, user.username)
      const token = tokenIn(await box.receive(email, subjects.reset), 'reset')
      return { json: { token, newPassword: password }, headers: { cookie: '' } }
    }),

    'POST /v1/session': same(({ username }) => ({ json: { username, password }, headers: { cookie: '' } })),
    'POST /v1/session of a browser that is logged in': same(({ username }) => ({ json: { username, password } })),
    'POST /v1/session with a wrong password': same(({ username }) => ({
      json: { username, password: wrongPassword },
      headers: { cookie: '' },
    })),
    'DELETE /v1/session': same(() => ({})),
    'DELETE /v1/session everywhere': same(() => ({ path: '/v1/session?everywhere=true' })),
    'POST /v1/session/refresh': same(() => ({})),
    'POST /v1/session/refresh with a wrong, earlier token': same(async (user) => {
      const cookie = await cookieOf(user)
      await user.client.post('v1/session/refresh')
      await user.client.post('v1/session/refresh')
      return { headers: { cookie } }
    }),
    'POST /v1/session/confirm': inOneOfSeveral(async () => ({ json: { password } })),
    'POST /v1/session/confirm with a wrong password': same(() => ({ json: { password: wrongPassword } })),
    'POST /v1/session/confirm with a passkey': inOneOfSeveral(async ({ authenticator }, cookie) => {
      const { options, headers } = await ceremony('/v1/session/confirm/options', cookie)
      return { headers, json: { passkey: authenticator.get(options as Request) } } // by its schema
    }),
    'POST /v1/session/confirm/options': same(() => ({})),
    'POST /v1/session/passkey/options': same(() => ({ json: {} })),
    'POST /v1/session/passkey': different(async ({ authenticator }) => {
      const { options, headers } = await ceremony('/v1/session/passkey/options', '', {})
      return { headers, json: { response: authenticator.get(options as Request) } } // by its schema
    }),
    'POST /v1/session/second-factor': same(async ({ client, username }) => {
      const { secret } = await enrol(client)
      await forgetSteps(db)
      const browser = makeClient(url)
      await firstStep(browser, username)
      return { headers: { cookie: await cookieOf({ client: browser }) }, json: { code: codeOf(secret) } }
    }),
    'DELETE /v1/sessions': same(() => ({})),
    'DELETE /v1/sessions/{id}': same(async ({ username }) => {
      const other = await makeClient(url).post<{ session: { id: string } }>('v1/session', {
        json: { username, password },
      })
      return { path: `/v1/sessions/${other.body.session.id}` }
    }),

    'POST /v1/passkeys/options': same(() => ({})),
    'POST /v1/passkeys': async (users) => {
      // An account can have 20.
      await db.collection('passkeys').deleteMany({ name: 'Another' })
      return different(async (user) => {
        const { options, headers } = await ceremony('/v1/passkeys/options', await cookieOf(user))
        const response = user.authenticator.create(options as Creation) // by its schema
        return { headers, json: { response, name: 'Another' } }
      })(users)
    },
    'PATCH /v1/passkeys/{id}': same(({ passkey }) => ({ path: `/v1/passkeys/${passkey.id}`, json: { name: 'Mine' } })),
    'DELETE /v1/passkeys/{id}': same(async (user) => ({ path: `/v1/passkeys/${await firstId(user, 'v1/passkeys')}` })),
    'PATCH /v1/devices/{id}': same(async (user) => ({
      path: `/v1/devices/${await firstId(user, 'v1/devices')}`,
      json: { name: 'Mine' },
    })),
    'DELETE /v1/devices/{id}': same(async (user) => ({ path: `/v1/devices/${await firstId(user, 'v1/devices')}` })),
    'DELETE /v1/devices': same(() => ({})),

    'POST /v1/second-factor/totp': same(() => ({})),
    'POST /v1/second-factor/totp/confirm': same(async ({ client }) => {
      const { secret } = await beginEnrolment(client)
      return { json: { code: codeOf(secret) } }
    }),
    'DELETE /v1/second-factor/totp': same(async ({ client }) => {
      await enrol(client)
      return {}
    }),
    'POST /v1/second-factor/recovery-codes': same(async ({ client }) => {
      await enrol(client)
      return {}
    }),

    'POST /v1/posts with one Idempotency-Key': same(async (user) => ({
      json: { text: 'Once' },
      headers: { cookie: await cookieOf(user), 'idempotency-key': newName() },
    })),
    'POST /v1/posts': onOnePost((post) => ({ json: { text: 'A reply', replyTo: post } })),
    'PATCH /v1/posts/{id}': onOnePost((post) => ({ path: `/v1/posts/${post}`, json: { text: 'Edited' } })),
    'DELETE /v1/posts/{id}': async (users) => {
      const [author] = users
      const root = author ? await createPost(author, { text: 'All meet here.' }) : newId()
      return different(async (user) => ({
        path: `/v1/posts/${await createPost(user, { text: 'A reply', replyTo: root })}`,
        headers: { cookie: await cookieOf(user) },
      }))(users)
    },
    'PUT /v1/posts/{id}/reaction': onReaction({ value: 'like' }),
    'DELETE /v1/posts/{id}/reaction': onReaction(),
  }

  return {
    recipes,
    /** Accounts that have a passkey, whose counter stays at zero. */
    signUpAll: (count: number): Promise<User[]> =>
      Promise.all(Array.from({ length: count }, () => passkeyUser(url, { counts: false }))),

    /** In a new session that is confirmed, without a second factor. A process remembers a refusal for a second. */
    async logInAgain(user: User): Promise<User> {
      const client = makeClient(url)
      const logIn = () => client.post('v1/session', { json: { username: user.username, password } })
      await eventually(async () => (await logIn()).statusCode === 200)
      const { statusCode } = await confirm(client)
      if (statusCode !== 200) throw new Error(`the confirmation was answered ${statusCode}`)
      return { ...user, client }
    },
  }
}
