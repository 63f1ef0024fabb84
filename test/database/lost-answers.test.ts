import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, makeClient, signUp, testConfig } from '../helper.ts'

type Post = { id: string }

t.test(
  'a connection that is cut during a transaction: the write is applied once and acknowledged',
  { timeout: 120_000 },
  async (t) => {
    const { db, connection } = await freshDatabase(t)
    const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
    const uri = proxy.uri(db.databaseName)
    const config = await testConfig({ ...connection, uri })
    const app = await buildApp(config, { ...connection, uri }, pino({ level: 'silent' }))
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    t.teardown(() => app.close())
    const ann = await signUp(url)
    const parent = (await ann.client.post<Post>('v1/posts', { json: { text: 'Parent' } })).body.id

    /** Creates a reply while connections are cut: it must be stored once, and counted once. */
    async function expectOnePost(t: Test, text: string, headers = {}) {
      const before = (await ann.client.get<{ counts: { posts: number } }>('v1/account')).body.counts.posts
      const replies = async () =>
        (await ann.client.get<{ counts: { replies: number } }>(`v1/posts/${parent}`)).body.counts.replies
      const repliesBefore = await replies()
      const cutsBefore = proxy.cuts()
      return async (cuts: number) => {
        const answer = await ann.client.post<Post>('v1/posts', { json: { text, replyTo: parent }, headers })
        t.equal(proxy.cuts() - cutsBefore, cuts, `${cuts} connections were cut`)
        t.equal(answer.statusCode, 201)
        t.notOk('idempotency-replayed' in answer.headers, 'the answer is not a replay')
        t.equal(await db.collection('posts').countDocuments({ text }), 1)
        t.equal((await ann.client.get(`v1/posts/${answer.body.id}`)).statusCode, 200, 'under the id of the answer')
        t.match((await ann.client.get('v1/account')).body, { counts: { posts: before + 1 } })
        t.equal(await replies(), repliesBefore + 1)
      }
    }

    for (const when of ['answered', 'before'] as const) {
      const moment = when === 'before' ? 'before MongoDB receives it' : 'before its reply arrives'
      // The driver retries a commit once: two and three cuts exercise our own retries.
      for (const times of [1, 2, 3]) {
        t.test(`commit cut ${times} times ${moment}: one post, counted once`, async (t) => {
          const check = await expectOnePost(t, `commit ${when} ${times}`)
          proxy.cut({ command: 'commitTransaction', when, times })
          await check(times)
        })
      }
      for (const command of ['insert', 'update']) {
        t.test(`${command} cut twice ${moment}: the transaction is retried, one post, counted once`, async (t) => {
          const check = await expectOnePost(t, `${command} ${when}`)
          proxy.cut({ command, when, times: 2 })
          await check(2)
        })
      }
      t.test(`with an Idempotency-Key, commit cut twice ${moment}: one post, and a repeat is a replay`, async (t) => {
        const headers = { 'idempotency-key': `cut-${when}` }
        const check = await expectOnePost(t, `key ${when}`, headers)
        proxy.cut({ command: 'commitTransaction', when, times: 2 })
        await check(2)
        const json = { text: `key ${when}`, replyTo: parent }
        const again = await ann.client.post('v1/posts', { json, headers })
        t.match(again, { statusCode: 201, headers: { 'idempotency-replayed': 'true' } })
      })
    }

    t.test('a deletion whose commit reply is lost answers 204, not 404', async (t) => {
      const { id } = (await ann.client.post<Post>('v1/posts', { json: { text: 'Away' } })).body
      proxy.cut({ command: 'commitTransaction', when: 'answered', times: 2 })
      t.equal((await ann.client.delete(`v1/posts/${id}`)).statusCode, 204)
    })

    t.test('a sign-up whose commit reply is lost answers 201, not 409', async (t) => {
      proxy.cut({ command: 'commitTransaction', when: 'answered', times: 2 })
      const bob = await signUp(url)
      t.equal((await bob.client.get('v1/account')).statusCode, 200)
    })

    t.test('a reaction whose commit reply is lost answers 200 with the right counts', async (t) => {
      for (const [value, likes] of [
        ['like', 1],
        ['dislike', 0],
      ] as const) {
        proxy.cut({ command: 'commitTransaction', when: 'answered', times: 2 })
        const answer = await ann.client.put(`v1/posts/${parent}/reaction`, { json: { value } })
        t.match(answer, { statusCode: 200, body: { value, counts: { likes, dislikes: 1 - likes } } })
      }
    })

    t.test('a reaction whose update reply is lost is counted once', async (t) => {
      const { id } = (await ann.client.post<Post>('v1/posts', { json: { text: 'Count me' } })).body
      for (const [value, counts] of [
        ['like', { likes: 1, dislikes: 0 }],
        ['dislike', { likes: 0, dislikes: 1 }],
      ] as const) {
        const cuts = proxy.cuts()
        proxy.cut({ command: 'update', when: 'answered', times: 1 })
        t.match(await ann.client.put(`v1/posts/${id}/reaction`, { json: { value } }), {
          statusCode: 200,
          body: { counts },
        })
        t.equal(proxy.cuts(), cuts + 1)
        t.match((await ann.client.get(`v1/posts/${id}`)).body, { counts, viewer: { reaction: value } })
      }
    })

    t.test('an edit whose commit reply is lost answers 200 with the new text', async (t) => {
      proxy.cut({ command: 'commitTransaction', when: 'answered', times: 2 })
      const answer = await ann.client.patch(`v1/posts/${parent}`, { json: { text: 'Edited' } })
      t.match(answer, { statusCode: 200, body: { text: 'Edited' } })
    })

    t.test('an edited profile whose counts cannot be read is not denied', async (t) => {
      // The driver repeats a read once.
      proxy.cut({ command: 'find', when: 'before', times: 2 })
      const answer = await ann.client.patch('v1/account', { json: { bio: 'Written' } })
      proxy.heal()
      t.match(answer, { statusCode: 503, body: { code: 'outcome-unknown' } })
      t.match((await ann.client.get('v1/account')).body, { bio: 'Written' })
    })

    t.test('a query that MongoDB never answers: 503 before the socket timeout of 30 s', async (t) => {
      for (const [query, client] of [
        ['the query of the handler', makeClient(url)],
        ['the query for the session', ann.client],
      ] as const) {
        proxy.cut({ command: 'aggregate', when: 'never', times: 1 })
        const cuts = proxy.cuts()
        const start = performance.now()
        const answer = await client.get(`v1/posts/${parent}`)
        t.match(answer, { statusCode: 503, body: { code: 'database-unavailable' } }, query)
        t.equal(proxy.cuts(), cuts + 1)
        t.ok(performance.now() - start < 20_000, 'earlier than the socket timeout')
      }
      t.equal((await ann.client.get(`v1/posts/${parent}`)).statusCode, 200)
    })
  },
)
