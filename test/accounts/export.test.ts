import type { Db, UUID } from 'mongodb'
import t from 'tap'
import { newId, toUuid } from '../../src/database/ids.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { idOf, type User } from './count-invariants.ts'

type Line = { type?: string; end?: boolean } & Record<string, unknown>

const confirm = ({ client }: User) => client.post('v1/session/confirm', { json: { password } })
const exportOf = ({ client }: User) => client.get('v1/account/export', { responseType: 'text' })
const linesOf = (body: string): Line[] => {
  t.ok(body.endsWith('\n'), 'the last line is complete')
  return body
    .trimEnd()
    .split('\n')
    .map((line): Line => JSON.parse(line))
}

/** Likes as many copies of a post. */
async function seedReactions(db: Db, account: string, count: number, original: string) {
  const own = toUuid(account)
  const posts = Array.from({ length: count }, () => toUuid(newId()))
  const copied = await db.collection<{ _id: UUID }>('posts').findOne({ _id: toUuid(original) })
  await db.collection<{ _id: UUID }>('posts').insertMany(posts.map((_id) => ({ ...copied, _id })))
  const documents = posts.map((post) => ({
    ...{ _id: { post, account: own }, post, account: own },
    ...{ value: 'like', order: toUuid(newId()) },
  }))
  await db.collection<{ _id: object }>('reactions').insertMany(documents)
}

t.test('an export requires a confirmed password', async (t) => {
  const { url } = await testServer(t)
  const ann = await signUp(url)
  t.equal((await makeClient(url).get('v1/account/export')).statusCode, 401)
  const { statusCode, body } = await ann.client.get('v1/account/export')
  t.match({ statusCode, body }, { statusCode: 403, body: { code: 'confirmation-required' } })
})

t.test('an export has everything that is stored of the account, and no secret or hash', async (t) => {
  const { url, db } = await testServer(t)
  const [ann, bob] = [await signUp(url, 'ann_takes'), await signUp(url, 'bob_stays')]
  await ann.client.patch('v1/account', { json: { displayName: 'Ann', bio: 'Leaving\nsoon' } })
  const post = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Line 1\nLine 2 “§”' } })).body.id
  const other = (await bob.client.post<{ id: string }>('v1/posts', { json: { text: 'Not Ann’s' } })).body.id
  await ann.client.post('v1/posts', { json: { text: 'A reply', replyTo: other } })
  await ann.client.put(`v1/posts/${other}/reaction`, { json: { value: 'dislike' } })
  await ann.client.put('v1/accounts/bob_stays/follow')
  await bob.client.put('v1/accounts/ann_takes/follow')
  await seedReactions(db, await idOf(ann), 450, other)
  await makeClient(url).post('v1/session', { json: { username: 'ann_takes', password: 'not at all her password' } })
  const confirmed = await confirm(ann)
  const answer = await exportOf(ann)

  t.match(answer, {
    statusCode: 200,
    headers: {
      'content-type': 'application/x-ndjson; charset=utf-8',
      'content-disposition': 'attachment; filename="rookery-ann_takes.ndjson"',
      'cache-control': 'no-store',
    },
  })
  const lines = linesOf(answer.body)
  t.same(lines.at(-1), { end: true })
  const of = (type: string) => lines.filter((line) => line.type === type)
  t.match(of('account'), [{ username: 'ann_takes', displayName: 'Ann', bio: 'Leaving\nsoon', counts: { posts: 2 } }])
  t.match(of('post'), [
    { text: 'A reply', replyTo: other },
    { id: post, text: 'Line 1\nLine 2 “§”', replyTo: null },
  ])
  t.equal(of('reaction').length, 451)
  t.match(of('reaction').at(-1), { post: other, value: 'dislike', reactedAt: /Z$/ })
  t.match(of('following'), [{ account: { username: 'bob_stays' }, since: /Z$/ }])
  t.match(of('follower'), [{ account: { username: 'bob_stays' } }])
  t.equal(of('session').length, 1)
  t.equal(of('device').length, 1)
  t.match(
    of('activity').map(({ event }) => event),
    ['exported', 'session-confirmed', 'login-failed', 'account-created'],
  )
  t.equal(lines.length, 1 + 2 + 451 + 2 + 1 + 1 + 4 + 1, 'and nothing else')

  const secrets = [password, ...Object.values(setCookies(confirmed.headers)).map((cookie) => cookie?.value ?? '')]
  for (const name of ['credentials', 'sessions', 'devices']) {
    for (const document of await db.collection(name).find().toArray()) {
      for (const [, bytes] of JSON.stringify(document).matchAll(/"([A-Za-z0-9+/=$.]{40,})"/g)) secrets.push(bytes ?? '')
    }
  }
  t.ok(secrets.length > 6, `${secrets.length} secrets and hashes`)
  for (const secret of secrets) t.notOk(answer.body.includes(secret), secret.slice(0, 6))
  t.notMatch(answer.body, /\$2[aby]\$|bcrypt|Not Ann’s/)
})

t.test('an export adds one activity event, and HEAD adds none', async (t) => {
  const { url, db } = await testServer(t)
  const ann = await signUp(url)
  await confirm(ann)
  const exported = () => db.collection('activity').countDocuments({ event: 'exported' })
  const head = await ann.client.head('v1/account/export', { responseType: 'text' })
  t.match(head, { statusCode: 200, headers: { 'content-type': 'application/x-ndjson; charset=utf-8' }, body: '' })
  t.equal(await exported(), 0)
  await exportOf(ann)
  t.equal(await exported(), 1)
  const { body } = await ann.client.get<{ items: { event: string }[] }>('v1/account/activity')
  t.equal(body.items[0]?.event, 'exported')
})

t.test('an export is cut off when its session ends, and lacks the end line', async (t) => {
  const { url, db } = await testServer(t)
  const ann = await signUp(url)
  const { id } = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Liked' } })).body
  await confirm(ann)
  await seedReactions(db, await idOf(ann), 30_000, id)
  const abort = new AbortController()
  const response = await fetch(`${url}/v1/account/export`, {
    headers: { cookie: await ann.client.jar.getCookieString(url) },
    signal: abort.signal,
  })
  const reader = response.body?.getReader()
  let text = new TextDecoder().decode((await reader?.read())?.value)
  t.equal((await ann.client.delete('v1/session')).statusCode, 204)
  const rest = (async () => {
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) {
      text += new TextDecoder().decode(chunk.value)
    }
  })()
  await t.rejects(rest, 'the connection is closed')
  t.ok(text.split('\n').length < 30_000, `${text.split('\n').length} lines`)
  t.notMatch(text, '"end"')
})

t.test('an account exports three times an hour, from whichever server; what is refused does not count', async (t) => {
  const { url, urls, db } = await twoServers(t)
  const [ann, bob] = [await signUp(url), await signUp(url)]
  for (let n = 0; n < 4; n += 1) t.equal((await exportOf(ann)).statusCode, 403, 'without a confirmation')
  await confirm(ann)
  await confirm(bob)
  for (let n = 0; n < 4; n += 1) t.equal((await ann.client.head('v1/account/export')).statusCode, 200)
  const cookie = await ann.client.jar.getCookieString(url)
  const ask = (n: number) =>
    makeClient(urls[n % 2] ?? url).get('v1/account/export', { headers: { cookie }, responseType: 'text' })
  const answers = await Promise.all(Array.from({ length: 6 }, (_, n) => ask(n)))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 200, 200, 429, 429, 429])
  const refused = await ask(0)
  t.match(refused, {
    statusCode: 429,
    headers: { 'retry-after': /^\d+$/, 'ratelimit-policy': '"exports";q=3;w=3600', ratelimit: /^"exports";r=0;t=\d+$/ },
  })
  t.match(JSON.parse(refused.body), { code: 'rate-limited', detail: /^At most 3 exports are allowed in 60 minutes/ })
  t.equal((await exportOf(bob)).statusCode, 200, 'another account has its own')
  t.equal(await db.collection('activity').countDocuments({ event: 'exported' }), 2)
  const hourAgo = new Date(Date.now() - 3_601_000)
  await db.collection('attempts').updateMany({}, { $set: { 'taken.$[].at': hourAgo } })
  t.equal((await ask(1)).statusCode, 200, 'and after an hour')
})

t.test('an export for another site is refused as a change is', async (t) => {
  const { url, db } = await testServer(t)
  const ann = await signUp(url)
  await confirm(ann)
  const ask = (headers: Record<string, string>, client = ann.client) =>
    client.get('v1/account/export', { headers, responseType: 'text' })
  const foreign = { origin: 'https://evil.example' }
  for (const headers of [
    foreign,
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ]) {
    const { statusCode, body } = await ask(headers)
    t.equal(statusCode, 403)
    t.match(JSON.parse(body), { code: 'cross-site' })
  }
  t.match(JSON.parse((await ask(foreign, makeClient(url))).body), { code: 'cross-site' }, 'before the session is read')
  t.equal((await ann.client.head('v1/account/export', { headers: foreign })).statusCode, 403)
  t.equal(await db.collection('activity').countDocuments({ event: 'exported' }), 0)
  for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }, { origin: url }])
    t.equal((await ask(headers)).statusCode, 200)
})

t.test('an export leaves out what others have deleted, although it is still stored', async (t) => {
  const { url, db } = await testServer(t)
  const [ann, bob] = [await signUp(url), await signUp(url)]
  const { id } = (await bob.client.post<{ id: string }>('v1/posts', { json: { text: 'Soon gone' } })).body
  await ann.client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
  await ann.client.put(`v1/accounts/${bob.username}/follow`)
  await bob.client.put(`v1/accounts/${ann.username}/follow`)
  await confirm(ann)
  const typesOf = async () => linesOf((await exportOf(ann)).body).map(({ type }) => type)
  const before = await typesOf()
  for (const type of ['reaction', 'following', 'follower']) t.ok(before.includes(type), type)
  // As in a deletion that has hidden the account, and withdrawn nothing of it yet.
  await db.collection<{ _id: UUID }>('accounts').deleteOne({ _id: toUuid(await idOf(bob)) })
  const after = await typesOf()
  for (const type of ['reaction', 'following', 'follower']) t.notOk(after.includes(type), type)
})
