import { connect } from 'node:net'
import t from 'tap'
import { v7 } from 'uuid'
import { signUp, testServer } from '../helper.ts'

type Post = { id: string; text: string }

t.test('Idempotency-Key', async (t) => {
  const { url, port, db } = await testServer(t)
  const ann = await signUp(url)
  const bob = await signUp(url)
  let keys = 0
  const newKey = () => `key-${++keys}`
  const post = (user: typeof ann, key: string, json: object) =>
    user.client.post<Post>('v1/posts', { json, headers: { 'idempotency-key': key } })
  const postsOf = async (user: typeof ann) =>
    (await user.client.get<{ counts: { posts: number } }>('v1/account')).body.counts.posts
  const replay = { statusCode: 201, headers: { 'idempotency-replayed': 'true' } }

  t.test('a repeat is answered with the post as it is now', async (t) => {
    const key = newKey()
    const before = await postsOf(ann)
    const first = await post(ann, key, { text: 'Once' })
    t.equal(first.statusCode, 201)
    t.notOk('idempotency-replayed' in first.headers)
    const second = await post(ann, key, { text: 'Once' })
    t.match(second, replay)
    t.equal(second.headers.location, first.headers.location)
    t.same(second.body, first.body)

    await ann.client.patch(`v1/posts/${first.body.id}`, { json: { text: 'Edited since' } })
    await bob.client.put(`v1/posts/${first.body.id}/reaction`, { json: { value: 'like' } })
    const third = await post(ann, key, { text: 'Once' })
    const now = { id: first.body.id, text: 'Edited since', editedAt: /Z$/, counts: { likes: 1 } }
    t.match(third, { ...replay, body: now })
    t.match(
      await post(ann, key, { text: 'Edited since' }),
      { statusCode: 409 },
      'the body is compared with the original request',
    )
    t.equal(await postsOf(ann), before + 1)
  })

  t.test('a repeat after the post’s deletion gets 404 and creates no post', async (t) => {
    const key = newKey()
    const { body } = await post(ann, key, { text: 'Short life' })
    await ann.client.delete(`v1/posts/${body.id}`)
    const before = await postsOf(ann)
    t.match(await post(ann, key, { text: 'Short life' }), { statusCode: 404, body: { code: 'not-found' } })
    t.match(await post(ann, key, { text: 'Another' }), { statusCode: 409 })
    t.equal(await postsOf(ann), before)
  })

  t.test('another body gets 409, the same body in another JSON or Unicode form a replay', async (t) => {
    const key = newKey()
    const parent = (await post(ann, newKey(), { text: 'Parent' })).body.id
    await post(ann, key, { text: 'Café' })
    for (const json of [{ text: 'Cafe' }, { text: 'Café ' }, { text: 'Café', replyTo: parent }]) {
      t.match(await post(ann, key, json), { statusCode: 409, body: { code: 'idempotency-conflict' } })
    }
    const headers = { 'idempotency-key': key, 'content-type': 'application/json; charset=utf-8' }
    t.match(await ann.client.post('v1/posts', { headers, body: ' {\n "text" :\t"Caf\\u0065\\u0301" } ' }), replay)

    const replyKey = newKey()
    await post(ann, replyKey, { text: 'Reply', replyTo: parent })
    t.match(
      await post(ann, replyKey, { replyTo: parent, text: 'Reply' }),
      replay,
      'the order of members does not matter',
    )
    const elsewhere = { text: 'Reply', replyTo: (await post(ann, newKey(), { text: 'Other parent' })).body.id }
    for (const json of [{ text: 'Reply' }, elsewhere]) t.match(await post(ann, replyKey, json), { statusCode: 409 })
  })

  t.test('two accounts can use one key', async (t) => {
    const key = newKey()
    const [one, other] = await Promise.all([post(ann, key, { text: 'Same' }), post(bob, key, { text: 'Different' })])
    t.equal(one.statusCode, 201)
    t.equal(other.statusCode, 201)
    t.not(one.body.id, other.body.id)
    t.match(await post(bob, key, { text: 'Different' }), { ...replay, body: { id: other.body.id } })
  })

  t.test('a key has 1 to 64 visible ASCII characters', async (t) => {
    for (const key of ['!', '~'.repeat(64), '"$.a\\%2e']) {
      const { body, statusCode } = await post(ann, key, { text: 'Any key' })
      t.equal(statusCode, 201)
      t.match(await post(ann, key, { text: 'Any key' }), { ...replay, body: { id: body.id } })
    }
    const refused = { statusCode: 400, body: { errors: [{ pointer: '/headers/idempotency-key' }] } }
    for (const key of ['', 'x'.repeat(65), 'two words', 'tab\tbed', 'é']) {
      t.match(await post(ann, key, { text: 'No' }), refused, JSON.stringify(key))
    }
    const cookies = await ann.client.jar.getCookieString(url)
    const twoKeys = 'idempotency-key: a\r\nidempotency-key: b\r\n'
    t.match(await postRaw(port, `${twoKeys}cookie: ${cookies}\r\n`, '{"text":"No"}'), /^HTTP\/1\.1 400 /, 'two keys')
    t.equal(await db.collection('posts').countDocuments({ text: 'No' }), 0)
  })

  t.test('a key is free after 24 hours, even if MongoDB has not removed its record yet', async (t) => {
    const key = newKey()
    const records = db.collection<{ _id: { key: string }; at: Date }>('idempotency')
    const age = (seconds: number) =>
      records.updateOne({ '_id.key': key }, { $set: { at: new Date(Date.now() - seconds * 1000) } })
    const first = (await post(ann, key, { text: 'Yesterday' })).body.id
    await age(86_340)
    t.match(await post(ann, key, { text: 'Yesterday' }), { ...replay, body: { id: first } })
    // MongoDB deletes expired records once a minute: perhaps before the next request, perhaps after it.
    await age(86_401)
    const second = await post(ann, key, { text: 'Today' })
    t.equal(second.statusCode, 201)
    t.notOk('idempotency-replayed' in second.headers)
    t.not(second.body.id, first)
    t.match(
      await post(ann, key, { text: 'Today' }),
      { ...replay, body: { id: second.body.id } },
      'the new post has the key',
    )
  })

  for (const isReply of [false, true]) {
    t.test(`20 concurrent requests with one key create one ${isReply ? 'reply' : 'root post'}`, async (t) => {
      const parent = (await post(bob, newKey(), { text: 'Here' })).body.id
      const [before, key] = [await postsOf(ann), newKey()]
      const json = { text: `At once ${key}`, ...(isReply && { replyTo: parent }) }
      const answers = await Promise.all(Array.from({ length: 20 }, () => post(ann, key, json)))
      t.same(
        answers.map(({ statusCode }) => statusCode),
        Array(20).fill(201),
      )
      t.equal(new Set(answers.map(({ body }) => body.id)).size, 1)
      t.equal(answers.filter(({ headers }) => 'idempotency-replayed' in headers).length, 19)
      t.equal(await postsOf(ann), before + 1)
      t.equal(await db.collection('posts').countDocuments({ text: json.text }), 1)
      t.match((await bob.client.get(`v1/posts/${parent}`)).body, { counts: { replies: isReply ? 1 : 0 } })
    })
  }

  t.test('20 concurrent requests with one key and 20 bodies: one gets 201, 19 get 409', async (t) => {
    const [before, key] = [await postsOf(ann), newKey()]
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => post(ann, key, { text: `Version ${n}` })))
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [201, ...Array(19).fill(409)])
    t.equal(await postsOf(ann), before + 1)
  })

  t.test('a refused request does not claim its key', async (t) => {
    const key = newKey()
    t.equal((await post(ann, key, { text: 'x', replyTo: v7() })).statusCode, 400)
    t.equal((await post(ann, key, { text: '' })).statusCode, 400)
    const { statusCode, headers } = await post(ann, key, { text: 'Valid' })
    t.equal(statusCode, 201)
    t.notOk('idempotency-replayed' in headers)
  })
})

/** Creates a post with headers that no client library sends. */
function postRaw(port: number, headers: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => {
      const head = `host: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`
      socket.write(`POST /v1/posts HTTP/1.1\r\n${head}${headers}\r\n${body}`)
    })
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
    })
    socket.on('error', reject).on('close', () => resolve(answer))
  })
}
