import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { makeClient, password, signUp } from '../helper.ts'
import { mailbox, subjects, tokenIn } from '../mail/mailbox.ts'
import { softwareAuthenticator } from '../passkeys/authenticator.ts'
import { addPasskey, confirmBy, logInBy, origin } from '../passkeys/ceremonies.ts'
import { codeOf, enrol } from '../second-factor/authenticator.ts'

type Step = [method: 'get' | 'put' | 'post' | 'patch' | 'delete', path: string, status: number, json?: object]

/**
 * Requests that cause each kind of query at least once: sign-up to deletion, by two accounts. The server has `passkeyEnv` of
 * passkeys/ceremonies.ts.
 */
export async function useEveryRoute(t: Test, url: string): Promise<void> {
  const ann = await signUp(url, 'ann_splits')
  const bob = await signUp(url, 'bob_splits')

  async function expect({ client }: typeof bob, steps: readonly Step[]): Promise<void> {
    for (const [method, path, status, json] of steps) {
      const response = await client(path, { method, ...(json && { json }) })
      t.equal(response.statusCode, status, `${method} ${path}: ${JSON.stringify(response.body)}`)
    }
  }
  async function post({ client }: typeof bob, text: string, replyTo?: string): Promise<string> {
    const headers = { 'idempotency-key': text }
    const json = { text, ...(replyTo !== undefined && { replyTo }) }
    const response = await client.post<{ id: string }>('v1/posts', { json, headers })
    t.equal(response.statusCode, 201, text)
    return response.body.id
  }

  async function anotherSession({ username }: typeof bob): Promise<string> {
    const response = await makeClient(url).post<{ session: { id: string } }>('v1/session', {
      json: { username, password },
    })
    return response.body.session.id
  }

  async function usePasskeys(user: typeof bob): Promise<void> {
    const authenticator = softwareAuthenticator(origin)
    const { body, statusCode } = await addPasskey(user.client, authenticator)
    t.equal(statusCode, 201)
    t.equal((await confirmBy(user.client, authenticator)).statusCode, 200)
    t.equal((await logInBy(makeClient(url), authenticator, {}, { username: user.username })).statusCode, 200)
    t.equal((await logInBy(makeClient(url), authenticator, { counter: 0 })).statusCode, 401)
    await expect(user, [
      ['get', 'v1/passkeys', 200],
      ['patch', `v1/passkeys/${body.id}`, 200, { name: 'Renamed' }],
      ['delete', `v1/passkeys/${body.id}`, 204],
    ])
  }

  /** Ann's: the removal at the end makes her deletion need no code. */
  async function useSecondFactor(): Promise<void> {
    const { secret, recoveryCodes } = await enrol(ann.client)
    await expect(ann, [
      ['get', 'v1/second-factor', 200],
      ['post', 'v1/session', 401, { username: 'ann_splits', password }],
      ['post', 'v1/session/second-factor', 401, { recoveryCode: '0000-0000-0000-0000-0000-0000' }],
      ['post', 'v1/session/second-factor', 200, { code: codeOf(secret, 1), trustDevice: true }],
      ['post', 'v1/session', 200, { username: 'ann_splits', password }],
      ['post', 'v1/session/confirm', 200, { password, recoveryCode: recoveryCodes[0] }],
      ['post', 'v1/second-factor/recovery-codes', 200],
      ['delete', 'v1/second-factor/totp', 204],
    ])
    const { body } = await ann.client.get<{ items: { id: string }[] }>('v1/devices')
    await expect(ann, [
      ['patch', `v1/devices/${body.items[0]?.id}`, 200, { name: 'Here' }],
      ['delete', `v1/devices/${body.items[0]?.id}`, 204],
      ['delete', 'v1/devices', 204],
    ])
  }

  // A server without SMTP_URL writes mails into its DATA_DIR.
  const mails = mailbox(process.env.TEST_DATA_DIR ?? '')
  const email = `${randomBytes(6).toString('hex')}@mail.example`
  const cookie = await bob.client.jar.getCookieString(url)
  const stream = await fetch(`${url}/v1/stream?scope=timeline`, { headers: { cookie } })
  t.equal(stream.status, 200)
  const root = await post(bob, 'root')
  t.equal(await post(bob, 'root'), root, 'its idempotency key')
  const reply = await post(bob, 'reply', root)
  await expect(bob, [
    ['put', `v1/posts/${root}/reaction`, 200, { value: 'like' }],
    ['put', `v1/posts/${root}/reaction`, 200, { value: 'dislike' }],
    ['put', `v1/posts/${reply}/reaction`, 200, { value: 'like' }],
    ['delete', `v1/posts/${reply}/reaction`, 200],
    ['put', `v1/posts/${reply}/reaction`, 200, { value: 'like' }],
    ['patch', `v1/posts/${root}`, 200, { text: 'edited' }],
    ['put', 'v1/accounts/ann_splits/follow', 204],
    ['delete', 'v1/accounts/ann_splits/follow', 204],
    ['put', 'v1/accounts/ann_splits/follow', 204],
    ['get', 'v1/timeline', 200],
    ['get', 'v1/pulse', 200],
    ['get', 'v1/posts', 200],
    ['get', 'v1/account/reactions', 200],
    ['get', 'v1/analytics/reactions?from=2026-01-01&to=2026-01-02', 200],
    ['get', `v1/posts/${root}/replies`, 200],
    ['get', `v1/posts/${root}/reactions`, 200],
    ['get', 'v1/accounts/bob_splits', 200],
    ['get', 'v1/accounts/bob_splits/posts', 200],
    ['get', 'v1/accounts/ann_splits/followers', 200],
    ['get', 'v1/accounts/bob_splits/following', 200],
    ['patch', 'v1/account', 200, { bio: 'Hoots' }],
    ['post', 'v1/session', 401, { username: 'bob_splits', password: 'not at all his password' }],
    ['post', 'v1/session', 401, { username: 'bob_splits', password: 'nor is this one his' }],
    ['post', 'v1/session', 200, { username: 'bob_splits', password }],
    ['post', 'v1/session/refresh', 200],
    ['post', 'v1/session/confirm', 200, { password }],
    ['get', 'v1/account/email', 200],
    ['put', 'v1/account/email', 202, { email }],
    ['get', 'v1/session', 200],
    ['get', 'v1/sessions', 200],
    ['delete', `v1/sessions/${await anotherSession(bob)}`, 204],
    ['delete', 'v1/sessions', 204],
    ['get', 'v1/account/activity', 200],
    ['delete', `v1/posts/${root}`, 204],
  ])
  await usePasskeys(bob)
  await stream.body?.cancel()
  const data = await bob.client.get('v1/account/export', { responseType: 'text' })
  t.match(data.body, /"type":"post"[\s\S]*"type":"following"[\s\S]*\{"end":true\}\n$/)

  await useSecondFactor()

  await post(ann, 'by-ann', reply)
  await expect(ann, [
    ['put', `v1/posts/${reply}/reaction`, 200, { value: 'like' }],
    ['post', 'v1/session/confirm', 200, { password }],
    ['delete', 'v1/account', 204],
  ])
  const { body } = await bob.client.get<{ counts: object }>(`v1/posts/${reply}`)
  t.same(body.counts, { likes: 1, dislikes: 0, replies: 0 }, 'accounts deleted what Ann wrote')
  const own = await bob.client.get<{ counts: { following: number } }>('v1/account')
  t.equal(own.body.counts.following, 0)
  await expect(bob, [
    ['post', 'v1/email-verification', 204, { token: tokenIn(await mails.receive(email, subjects.verify), 'verify') }],
    ['post', 'v1/email-verification', 404, { token: 'unknown' }],
    ['post', 'v1/password-reset', 202, { username: 'bob_splits' }],
    ['post', 'v1/password-reset', 202, { username: 'no_such_account' }],
  ])
  const reset = {
    newPassword: `${password} again`,
    token: tokenIn(await mails.receive(email, subjects.reset), 'reset'),
  }
  await expect(bob, [
    ['post', 'v1/password-reset/confirm', 204, reset],
    ['post', 'v1/password-reset/confirm', 401, reset],
    ['post', 'v1/session', 200, { username: 'bob_splits', password: reset.newPassword }],
    ['post', 'v1/session/confirm', 200, { password: reset.newPassword }],
    ['put', 'v1/account/email', 202, { email: `new-${email}` }],
    ['delete', 'v1/account/email', 204],
    ['put', 'v1/account/password', 204, { currentPassword: reset.newPassword, newPassword: `${password}, again` }],
    ['delete', 'v1/session', 204],
  ])
}
