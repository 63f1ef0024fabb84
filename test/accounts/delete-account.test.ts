import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { makeClient, password, signUp } from '../helper.ts'
import { logIn, twoServers, verdict } from '../sessions/servers.ts'
import { countMismatches, deleteAccount, documentsOf, idOf } from './count-invariants.ts'

type Named = { id: string; username: string; author?: { username: string }; account?: { username: string } }
type Page = { items: Named[] }

t.test('deleting an account requires a confirmed password: sign-up and login are not enough', async (t) => {
  const { urls } = await twoServers(t)
  const { client, username } = await signUp(urls[0])
  t.equal((await makeClient(urls[0]).delete('v1/account')).statusCode, 401)
  const { statusCode, body } = await client.delete('v1/account')
  t.match({ statusCode, body }, { statusCode: 403, body: { code: 'confirmation-required' } }, 'after the sign-up')
  await client.post('v1/session', { json: { username, password } })
  t.equal((await client.delete('v1/account')).statusCode, 403, 'after a login')
  t.equal((await client.get('v1/account')).statusCode, 200)
})

t.test('deleting an account ends its sessions, frees its username and clears its cookies', async (t) => {
  const { urls, db } = await twoServers(t)
  const ann = await signUp(urls[0])
  const id = await idOf(ann)
  const [here, there] = [await logIn(urls[0], ann.username), await logIn(urls[1], ann.username)]
  await ann.client.post('v1/session/confirm', { json: { password } })
  const { statusCode, headers } = await ann.client.delete('v1/account')
  t.equal(statusCode, 204)
  for (const name of ['session', 'refresh', 'device']) {
    t.ok(
      headers['set-cookie']?.some((cookie) => cookie.startsWith(`${name}=;`) && cookie.includes('Max-Age=0')),
      name,
    )
  }
  t.equal(headers['clear-site-data'], '"cache", "storage"')
  t.equal(await verdict(urls[0], here.token), 'ended')
  t.equal(await verdict(urls[0], there.token), 'ended')
  await delay(1_000)
  t.equal(await verdict(urls[1], here.token), 'ended')
  t.equal(await verdict(urls[1], there.token), 'ended')
  for (const { cookies } of [here, there]) {
    const cookie = `refresh=${cookies.refresh?.value}`
    t.equal((await makeClient(urls[1]).post('v1/session/refresh', { headers: { cookie } })).statusCode, 401)
  }
  const login = (username: string) => makeClient(urls[1]).post('v1/session', { json: { username, password } })
  const [deleted, unknown] = [await login(ann.username), await login('no_such_account')]
  t.match(deleted, { statusCode: 401, body: { code: 'invalid-credentials' } })
  const withoutInstance = ({ body }: { body: unknown }) => ({ ...(body as object), instance: '' })
  t.same(withoutInstance(deleted), withoutInstance(unknown), 'answered like an unknown username')
  t.same(await documentsOf(db, id), {})
  const again = await signUp(urls[1], ann.username)
  t.not(await idOf(again), id, 'without a username hold the username is free')
  t.match((await again.client.get('v1/account')).body, { counts: { posts: 0, followers: 0, following: 0 } })
})

t.test('a deleted account appears nowhere, and no count includes what it wrote', async (t) => {
  const { urls, db } = await twoServers(t)
  const [ann, bob, cyd] = [await signUp(urls[0]), await signUp(urls[1]), await signUp(urls[1])]
  const [annId, visitor] = [await idOf(ann), makeClient(urls[1])]
  const write = async ({ client }: typeof ann, replyTo?: string) =>
    (await client.post<Named>('v1/posts', { json: { text: '.', ...(replyTo && { replyTo }) } })).body.id
  const react = ({ client }: typeof ann, post: string, value = 'like') =>
    client.put(`v1/posts/${post}/reaction`, { json: { value } })
  const [annPost, bobPost] = [await write(ann), await write(bob)]
  const [annReply, bobReply] = [await write(ann, bobPost), await write(bob, annPost)]
  for (const post of [bobPost, bobReply]) await react(ann, post)
  for (const post of [annPost, annReply]) await react(bob, post, 'dislike')
  await react(cyd, bobPost)
  for (const [one, other] of [
    [ann, bob],
    [bob, ann],
    [cyd, ann],
    [cyd, bob],
  ] as const) {
    await one.client.put(`v1/accounts/${other.username}/follow`)
  }
  const before = await visitor.get(`v1/posts/${bobPost}`)
  t.match(before.body, { counts: { likes: 2, replies: 1 } })

  t.equal(await deleteAccount(ann), 204)
  for (const path of [
    `accounts/${ann.username}`,
    ...['posts', 'followers', 'following'].map((list) => `accounts/${ann.username}/${list}`),
    ...[annPost, annReply].flatMap((post) => ['', '/replies', '/reactions'].map((list) => `posts/${post}${list}`)),
  ]) {
    t.equal((await visitor.get(`v1/${path}`)).statusCode, 404, path)
  }
  for (const path of [
    'posts',
    'timeline',
    'account/reactions',
    `posts/${bobPost}/replies`,
    `posts/${bobPost}/reactions`,
    `posts/${bobReply}/reactions`,
    `accounts/${bob.username}/followers`,
    `accounts/${cyd.username}/following`,
  ]) {
    const { items } = (await cyd.client.get<Page>(`v1/${path}`)).body
    t.notMatch(JSON.stringify(items), new RegExp(`${ann.username}|${annId}`), path)
  }
  t.match((await visitor.get(`v1/posts/${bobPost}`)).body, { counts: { likes: 1, dislikes: 0, replies: 0 } })
  t.match(
    (await visitor.get(`v1/posts/${bobReply}`)).body,
    { replyTo: annPost, counts: { likes: 0 } },
    'replies of others stay',
  )
  t.match((await visitor.get(`v1/accounts/${bob.username}`)).body, { counts: { followers: 1, following: 0 } })
  t.match((await visitor.get(`v1/accounts/${cyd.username}`)).body, { counts: { following: 1 } })
  t.same(await documentsOf(db, annId), {})
  t.same(await countMismatches(db), [])
  t.equal((await bob.client.put(`v1/posts/${annPost}/reaction`, { json: { value: 'like' } })).statusCode, 404)
  t.equal((await bob.client.post('v1/posts', { json: { text: '.', replyTo: annReply } })).statusCode, 400)
  t.equal((await bob.client.put(`v1/accounts/${ann.username}/follow`)).statusCode, 404)
})

t.test('two concurrent deletions of one account: one gets 204, the other 401', async (t) => {
  const { urls, db } = await twoServers(t)
  for (let round = 0; round < 4; round += 1) {
    const ann = await signUp(urls[0])
    const id = await idOf(ann)
    const clients = await Promise.all(
      [0, 1].map(async (n) => {
        const client = makeClient(urls[n ? 1 : 0])
        await client.post('v1/session', { json: { username: ann.username, password } })
        await client.post('v1/session/confirm', { json: { password } })
        return client
      }),
    )
    const statuses = (await Promise.all(clients.map((client) => client.delete('v1/account')))).map(
      ({ statusCode }) => statusCode,
    )
    t.same(statuses.sort(), [204, 401])
    t.same(await documentsOf(db, id), {})
  }
})
