import t from 'tap'
import { makeClient, password, signUp } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'
import { disagreementsIn, idOf, leave, leftOf, type Somebody } from './count-invariants.ts'

type Made = { id?: string }

t.test('whatever it writes elsewhere while it is deleted, nothing of it is left', { timeout: 120_000 }, async (t) => {
  const { app, urls, db } = await twoServers(t)
  const host = await signUp(urls[0])
  const posts: string[] = []
  for (const _ of [1, 2, 3]) {
    posts.push((await host.client.post<{ id: string }>('v1/posts', { json: { text: '.' } })).body.id)
  }
  for (let round = 0; round < 5; round += 1) {
    const leavers = await Promise.all(Array.from({ length: 3 }, () => signUp(urls[0])))
    const ids = await Promise.all(leavers.map(idOf))
    const statuses = new Map<number, number>()
    let over = false

    /** Writes at the other server, with the same cookies, until it is refused. */
    async function write(who: Somebody, n: number) {
      const cookie = await who.client.jar.getCookieString(urls[0])
      const client = makeClient(urls[1]).extend({ headers: { cookie } })
      const post = posts[n % 3] ?? ''
      for (let m = 0; !over; m += 1) {
        const other = leavers[(n + 1) % 3]?.username ?? ''
        const answers = await Promise.all([
          client.put<Made>(`v1/posts/${post}/reaction`, { json: { value: m % 2 ? 'like' : 'dislike' } }),
          client.post<Made>('v1/posts', { json: { text: '.', replyTo: post } }),
          client.put<Made>(`v1/accounts/${m % 2 ? host.username : other}/follow`),
          host.client.put<Made>(`v1/accounts/${who.username}/follow`),
        ])
        const reply = answers[1]?.body.id
        if (reply) await host.client.put(`v1/posts/${reply}/reaction`, { json: { value: 'like' } })
        for (const { statusCode } of answers.slice(0, 3)) {
          statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
        }
        if (answers[0]?.statusCode === 401) return
      }
    }

    const writing = leavers.map((who, n) => write(who, n))
    await new Promise((resolve) => setTimeout(resolve, 50 + 50 * round))
    t.same(await Promise.all(leavers.map(leave)), [204, 204, 204])
    const stopping = setTimeout(() => {
      over = true
    }, 1_500)
    await Promise.all(writing)
    clearTimeout(stopping)
    t.notOk(over, 'within a second the other server takes no token')
    // 404: whom one wanted to follow was gone first.
    t.same(
      [...statuses.keys()].filter((status) => ![200, 201, 204, 401, 404].includes(status)),
      [],
    )
    for (const id of ids) t.same(await leftOf(db, id), {}, `round ${round}`)
    t.same(await disagreementsIn(app.db, app.transact), [])
  }
})

t.test('nothing that happens at the same moment brings it back to life', { timeout: 120_000 }, async (t) => {
  const { app, urls, db } = await twoServers(t)
  const meanwhile: Record<string, (who: Somebody) => Promise<{ statusCode: number }>> = {
    'a login': ({ username }) => makeClient(urls[1]).post('v1/session', { json: { username, password } }),
    'a new password': ({ client }) =>
      client.put('v1/account/password', { json: { currentPassword: password, newPassword: `${password}, and 8` } }),
    'a refresh': ({ client }) => client.post('v1/session/refresh'),
    'confirming again': ({ client }) => client.post('v1/session/confirm', { json: { password } }),
    'a new profile': ({ client }) => client.patch('v1/account', { json: { bio: 'still here' } }),
    // One that has begun is cut off.
    'an export': ({ client }) =>
      client.get('v1/account/export', { responseType: 'text' }).catch(() => ({ statusCode: 0 })),
    'a logout': ({ client }) => client.delete('v1/session'),
  }
  for (const [name, act] of Object.entries(meanwhile)) {
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
      if (deletion.statusCode === 204) t.same(await leftOf(db, id), {}, name)
    }
  }
  t.same(await disagreementsIn(app.db, app.transact), [])
})
