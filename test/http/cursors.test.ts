import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { freshDatabase, makeClient, password, signUp, testConfig, testServer } from '../helper.ts'
import { ask, cookieOf, expectProblem, field, pointersOf } from './wire.ts'

type Page = { items: { account: { username: string } }[]; nextCursor: string | null }

t.test('cursors of a post’s reactions', { timeout: 120_000 }, async (t) => {
  const { url, port } = await testServer(t)
  const accounts = await Promise.all(Array.from({ length: 12 }, () => signUp(url)))
  const [ann] = accounts
  if (!ann) throw new Error('no account')
  const createPost = async () => (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'x' } })).body.id
  const [post, other] = [await createPost(), await createPost()]
  const react = (account: typeof ann, value: string) =>
    account.client.put(`v1/posts/${post}/reaction`, { json: { value } })
  for (const [n, account] of accounts.entries()) await react(account, n % 2 ? 'like' : 'dislike')
  await accounts[1]?.client.put(`v1/posts/${other}/reaction`, { json: { value: 'like' } })
  await accounts[3]?.client.put(`v1/posts/${other}/reaction`, { json: { value: 'like' } })
  const reader = makeClient(url)
  const names = accounts.map(({ username }) => username)
  const read = async (query: string, id = post) => ask(port, 'GET', `/v1/posts/${id}/reactions?${query}`)
  const cursorOf = async (query: string, id = post) => String(field((await read(query, id)).body, 'nextCursor'))

  /** Follows the cursors, and runs `between` after each page. */
  async function readAll(query: string, between: (page: number) => Promise<unknown> = async () => undefined) {
    const seen: string[] = []
    for (let [page, cursor]: [number, string | null] = [0, '']; cursor !== null; page += 1) {
      const path: string = `v1/posts/${post}/reactions?${query}${cursor && `&cursor=${cursor}`}`
      const { items, nextCursor }: Page = await reader.get(path).json()
      seen.push(...items.map(({ account }) => account.username))
      cursor = nextCursor
      await between(page)
    }
    return seen
  }

  t.test('each filter has its own pages, newest first', async (t) => {
    for (const limit of [1, 5, 6, 100]) {
      t.same(await readAll(`limit=${limit}`), names.toReversed(), `all, ${limit} per page`)
      const likes = names.filter((_, n) => n % 2).reverse()
      t.same(await readAll(`limit=${limit}&value=like`), likes, `likes, ${limit} per page`)
    }
  })

  t.test('reactions withdrawn, changed or added between pages neither repeat nor skip others', async (t) => {
    const late = await signUp(url)
    const seen = await readAll('limit=3', async (page) => {
      if (page === 0) await accounts[10]?.client.delete(`v1/posts/${post}/reaction`) // already read
      if (page === 1) await accounts[1]?.client.delete(`v1/posts/${post}/reaction`) // not yet read
      if (page === 1) await react(late, 'like')
      // A changed reaction keeps its position.
      if (page === 2) for (const n of [0, 5]) await react(accounts[n] ?? ann, n % 2 ? 'dislike' : 'like')
    })
    t.same(
      seen,
      names.toReversed().filter((name) => name !== names[1]),
    )
  })

  t.test('a cursor that is truncated, padded, invented, or of another list or filter gets 400', async (t) => {
    const cursor = await cursorOf('limit=1')
    t.match(cursor, /^[\w-]{32}$/, 'base64url')
    t.equal((await read(`cursor=${cursor}`)).status, 200)
    t.equal((await read(`limit=7&cursor=${cursor}`)).status, 200, 'the limit can change between pages')
    const foreign = [await cursorOf('limit=1&value=like'), await cursorOf('limit=1', other)]
    foreign.push(String(field((await ask(port, 'GET', '/v1/posts?limit=1')).body, 'nextCursor')))
    const flipped = `${cursor.startsWith('A') ? 'B' : 'A'}${cursor.slice(1)}`
    const bad = [...foreign, flipped, cursor.slice(0, -1), `${cursor}A`, `${cursor}=`, `${cursor}%20`, `%20${cursor}`]
    bad.push('', 'null', 'x'.repeat(200), 'x'.repeat(201), post, `${cursor}${cursor}`, `${cursor.slice(0, -1)}%2B`)
    for (const other of bad) {
      t.notSame(other, cursor)
      const answer = await read(`cursor=${other}`)
      expectProblem(t, answer, 'validation', `cursor ${other.slice(0, 40)}`)
      t.same(pointersOf(answer), ['/query/cursor'])
    }
    expectProblem(t, await read(`value=dislike&cursor=${cursor}`), 'validation', 'an unfiltered cursor with a filter')
  })
})

t.test('a cursor survives a restart with a new JWT_SIGN_KEY, and grants no access', async (t) => {
  const { connection } = await freshDatabase(t)
  const startServer = async () => {
    const config = await testConfig(connection, { LOG_LEVEL: 'silent' }) // a new JWT_SIGN_KEY each time
    const app = await buildApp(config, connection)
    await app.listen({ host: '127.0.0.1', port: 0 })
    t.teardown(() => app.close())
    const address = app.server.address()
    return { app, port: typeof address === 'object' && address ? address.port : 0 }
  }
  const first = await startServer()
  const cookie = await cookieOf(first.port, 'ann')
  for (const text of ['1', '2', '3'])
    await ask(first.port, 'POST', '/v1/posts', { headers: { cookie }, json: { text } })
  await ask(first.port, 'POST', '/v1/session', { json: { username: 'ann', password: 'x' } })
  const page = await ask(first.port, 'GET', '/v1/posts?limit=1')
  const cursor = field(page.body, 'nextCursor')
  const nextPage = await ask(first.port, 'GET', `/v1/posts?cursor=${cursor}`)
  await first.app.close()
  const second = await startServer()
  t.same((await ask(second.port, 'GET', `/v1/posts?cursor=${cursor}`)).body, nextPage.body)
  const bob = await cookieOf(second.port, 'bob')
  const login = { json: { username: 'bob', password } }
  await ask(second.port, 'POST', '/v1/session', login)
  const own = await ask(second.port, 'GET', '/v1/sessions?limit=1', { headers: { cookie: bob } })
  const carl = { headers: { cookie: await cookieOf(second.port, 'carl') } }
  const sessions = `/v1/sessions?cursor=${field(own.body, 'nextCursor')}`
  t.equal((await ask(second.port, 'GET', sessions, { headers: { cookie: bob } })).status, 200)
  expectProblem(t, await ask(second.port, 'GET', sessions, carl), 'validation', 'another account’s list')
  expectProblem(t, await ask(second.port, 'GET', sessions), 'unauthenticated', 'without a session')
})
