import { setTimeout as delay } from 'node:timers/promises'
import type { Db } from 'mongodb'
import t from 'tap'
import { resetPassword } from '../../src/accounts/reset-password.ts'
import type { AccountTombstone } from '../../src/accounts/tombstone.ts'
import { toUuid } from '../../src/database/ids.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { makeClient, password, retry503, signUp } from '../helper.ts'
import { countAttempts } from '../limits/login-attempts.ts'
import { serverOn, twoServers } from '../sessions/servers.ts'
import { countMismatches, deleteAccount, documentsOf, idOf, type User } from './count-invariants.ts'

type Created = { id?: string }

t.test(
  'an account that writes at another server during its deletion leaves no documents',
  { timeout: 120_000 },
  async (t) => {
    const { urls, db } = await twoServers(t)
    const survivor = await signUp(urls[0])
    const posts: string[] = []
    for (const _ of [1, 2, 3]) {
      posts.push((await survivor.client.post<{ id: string }>('v1/posts', { json: { text: '.' } })).body.id)
    }
    for (let round = 0; round < 5; round += 1) {
      const deleted = await Promise.all(Array.from({ length: 3 }, () => signUp(urls[0])))
      const ids = await Promise.all(deleted.map(idOf))
      const statuses = new Map<number, number>()
      let isOver = false

      /** Writes at the other server, with the same cookies, until it answers 401. */
      async function write(user: User, n: number) {
        const cookie = await user.client.jar.getCookieString(urls[0])
        const client = makeClient(urls[1]).extend({ headers: { cookie } })
        const post = posts[n % 3] ?? ''
        for (let m = 0; !isOver; m += 1) {
          const other = deleted[(n + 1) % 3]?.username ?? ''
          const answers = await Promise.all([
            client.put<Created>(`v1/posts/${post}/reaction`, { json: { value: m % 2 ? 'like' : 'dislike' } }),
            client.post<Created>('v1/posts', { json: { text: '.', replyTo: post } }),
            client.put<Created>(`v1/accounts/${m % 2 ? survivor.username : other}/follow`),
            survivor.client.put<Created>(`v1/accounts/${user.username}/follow`),
          ])
          const reply = answers[1]?.body.id
          if (reply) await survivor.client.put(`v1/posts/${reply}/reaction`, { json: { value: 'like' } })
          for (const { statusCode } of answers.slice(0, 3)) {
            statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
          }
          if (answers[0]?.statusCode === 401) return
        }
      }

      const writing = deleted.map((user, n) => write(user, n))
      await new Promise((resolve) => setTimeout(resolve, 50 + 50 * round))
      t.same(await Promise.all(deleted.map(deleteAccount)), [204, 204, 204])
      const stopping = setTimeout(() => {
        isOver = true
      }, 1_500)
      await Promise.all(writing)
      clearTimeout(stopping)
      t.notOk(isOver, 'the other server refuses the access token within 1.5 s')
      // 404: the account to follow had been deleted first.
      t.same(
        [...statuses.keys()].filter((status) => ![200, 201, 204, 401, 404].includes(status)),
        [],
      )
      for (const id of ids) t.same(await documentsOf(db, id), {}, `round ${round}`)
      t.same(await countMismatches(db), [])
    }
  },
)

t.test('no concurrent request of its owner restores a deleted account', { timeout: 120_000 }, async (t) => {
  const { urls, db } = await twoServers(t)
  const requests: Record<string, (user: User) => Promise<{ statusCode: number }>> = {
    'a login': ({ username }) => makeClient(urls[1]).post('v1/session', { json: { username, password } }),
    'a new password': ({ client }) =>
      client.put('v1/account/password', { json: { currentPassword: password, newPassword: `${password}, and 8` } }),
    'a refresh': ({ client }) => client.post('v1/session/refresh'),
    'another confirmation': ({ client }) => client.post('v1/session/confirm', { json: { password } }),
    'a new profile': ({ client }) => client.patch('v1/account', { json: { bio: 'still here' } }),
    // The server cuts off an export that has begun.
    'an export': ({ client }) =>
      client.get('v1/account/export', { responseType: 'text' }).catch(() => ({ statusCode: 0 })),
    'a logout': ({ client }) => client.delete('v1/session'),
  }
  for (const [name, act] of Object.entries(requests)) {
    for (let round = 0; round < 3; round += 1) {
      const ann = await signUp(urls[0])
      const id = await idOf(ann)
      await ann.client.post('v1/session/confirm', { json: { password } })
      const doomed = makeClient(urls[0]).extend({
        headers: { cookie: await ann.client.jar.getCookieString(urls[0]) },
      })
      const [deletion, other] = await Promise.all([doomed.delete('v1/account'), act(ann)])
      t.ok([204, 401].includes(deletion.statusCode), `${name}: ${deletion.statusCode}`)
      t.ok(other.statusCode < 500, `${name}: ${other.statusCode}`)
      if (deletion.statusCode === 204) t.same(await documentsOf(db, id), {}, name)
    }
  }
  t.same(await countMismatches(db), [])
})

/** What names an account after its deletion is deleted in the background: the numbers of documents, once it is swept. */
async function documentsAfterSweep(db: Db, id: string): Promise<Record<string, number>> {
  const account = toUuid(id)
  const tombstones = db.collection<AccountTombstone>('removedAccounts')
  await eventually(async () => (await tombstones.findOne({ _id: account }))?.sweptAt !== undefined)
  return documentsOf(db, id, true)
}

t.test('a wrong password that is checked while its account is deleted leaves no activity', async (t) => {
  // Slow enough for the deletion and its sweep.
  const { urls, db } = await twoServers(t, { BCRYPT_COST: '12' })
  for (let round = 0; round < 4; round += 1) {
    const ann = await signUp(urls[0])
    const id = await idOf(ann)
    await ann.client.post('v1/session/confirm', { json: { password } })
    const json = { username: ann.username, password: 'not the password' }
    const login = makeClient(urls[1]).post('v1/session', { json })
    await eventually(async () => (await countAttempts(db, 'failed-logins-by-account')) === round + 1)
    t.equal((await ann.client.delete('v1/account')).statusCode, 204)
    const swept = documentsAfterSweep(db, id)
    t.match(await login, { statusCode: 401, body: { code: 'invalid-credentials' } })
    await swept
    t.same(await documentsOf(db, id, true), {}, `round ${round}`)
  }
})

t.test('an export that begins before its account is deleted leaves no activity', async (t) => {
  const { urls, db, connection } = await twoServers(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  const behindProxy = await serverOn(t, { ...connection, uri: proxy.uri(db.databaseName) })
  const ann = await signUp(urls[0])
  const id = await idOf(ann)
  await ann.client.post('v1/session/confirm', { json: { password } })
  const headers = { cookie: await ann.client.jar.getCookieString(urls[0]) }
  const held = proxy.arm({ command: 'commitTransaction', effect: { holdMs: 2_500 } })
  const exported = makeClient(behindProxy)
    .get('v1/account/export', { headers, responseType: 'text' })
    .catch(() => undefined)
  await eventually(() => held.happened() === 1)
  // Answered after the commit of the export, or 503: then its account still exists.
  const deletion = await ann.client.delete('v1/account')
  await exported
  if (deletion.statusCode !== 204) t.equal((await retry503(() => ann.client.delete('v1/account'))).statusCode, 204)
  t.same(await documentsAfterSweep(db, id), {})
})

t.test('a password that an operator resets while the account is deleted leaves no activity', async (t) => {
  const { urls, db } = await twoServers(t)
  const ann = await signUp(urls[0])
  const id = await idOf(ann)
  await ann.client.post('v1/session/confirm', { json: { password } })
  const reset = resetPassword(db.client, db.databaseName, ann.username, { cost: 13, peppers: [] })
  await delay(50)
  t.equal((await ann.client.delete('v1/account')).statusCode, 204)
  await reset
  t.same(await documentsAfterSweep(db, id), {})
})
