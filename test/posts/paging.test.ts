import t from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, signUp, testServer } from '../helper.ts'

type Page = { items: { id: string }[]; nextCursor: string | null }

t.test('pagination of posts', { timeout: 200_000 }, async (t) => {
  const { url } = await testServer(t)
  const visitor = makeClient(url)
  const authors = await Promise.all(Array.from({ length: 4 }, () => signUp(url)))
  const [ann, ...others] = authors
  if (!ann) throw new Error('no accounts')

  const write = async (user: typeof ann, text: string) => {
    const { statusCode, body } = await user.client.post<{ id: string }>('v1/posts', { json: { text } })
    if (statusCode !== 201) throw new Error(`a post was answered ${statusCode}`)
    return body.id
  }
  const existing: { id: string; by: typeof ann }[] = []
  const readAll = async (path: string, limit: number, between = async () => {}) => {
    const seen: string[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const { body } = await visitor.get<Page>(path, { searchParams: { limit, ...(cursor && { cursor }) } })
      seen.push(...body.items.map(({ id }) => id))
      if (body.nextCursor !== null && body.items.length !== limit)
        throw new Error('a page before the last one is not full')
      cursor = body.nextCursor
      await between()
    }
    return seen
  }

  const writeMany = async (user: typeof ann) => {
    for (let n = 0; n < 90; n += 1) existing.push({ id: await write(user, `early ${n}`), by: user })
  }
  await Promise.all(authors.map(writeMany))

  t.test('without concurrent writes all pages together have all posts, newest first, for any limit', async (t) => {
    const newestFirst = existing.map(({ id }) => id).sort((a, b) => (a < b ? 1 : -1))
    for (const limit of [1, 7, 60, 90, 100]) {
      const path = limit === 1 ? `v1/accounts/${ann.username}/posts` : 'v1/posts'
      const wanted =
        limit === 1 ? newestFirst.filter((id) => existing.some((e) => e.id === id && e.by === ann)) : newestFirst
      t.same(await readAll(path, limit), wanted, `${limit} a page`)
    }
    const { body } = await visitor.get<Page>('v1/posts')
    t.equal(body.items.length, 20, 'the default limit is 20')
  })

  t.test('during concurrent creations and deletions every remaining post appears exactly once', async (t) => {
    const doomed = existing.filter((_, n) => n % 3 === 0)
    const stays = new Set(existing.filter((_, n) => n % 3 !== 0).map(({ id }) => id))
    let isReading = true
    let created = 0
    const deletions: number[] = []
    const createAndDelete = async (user: typeof ann) => {
      while (isReading) {
        await write(user, `late ${created++}`)
        const index = doomed.findIndex(({ by }) => by === user)
        const [victim] = index >= 0 ? doomed.splice(index, 1) : []
        if (victim) deletions.push((await user.client.delete(`v1/posts/${victim.id}`)).statusCode)
      }
    }
    const writing = Promise.all(others.map(createAndDelete))
    // Between two pages at least two posts are created.
    const betweenPages = async () => {
      const goal = created + 2
      await eventually(() => created >= goal, { everyMs: 5 })
    }
    const [all, own] = await Promise.all([
      readAll('v1/posts', 11, betweenPages),
      readAll(`v1/accounts/${ann.username}/posts`, 7, betweenPages),
    ])
    isReading = false
    await writing
    t.ok(created > 50, `${created} posts were created between pages`)
    t.ok(deletions.length > 30, `${deletions.length} posts were deleted`)
    t.ok(deletions.every((status) => status === 204))
    for (const seen of [all, own]) {
      t.equal(new Set(seen).size, seen.length, 'no post twice')
      t.same(seen, seen.toSorted().reverse(), 'newest first')
    }
    t.same(
      all.filter((id) => stays.has(id)),
      [...stays].sort().reverse(),
    )
    const remainingOfAnn = existing.filter(({ id, by }) => by === ann && stays.has(id)).map(({ id }) => id)
    t.same(
      own.filter((id) => stays.has(id)),
      remainingOfAnn.sort().reverse(),
    )
  })

  t.test('a cursor stays valid when its post and all later ones are deleted: the last page is empty', async (t) => {
    const user = await signUp(url)
    const ids: string[] = []
    for (const n of [1, 2, 3, 4]) ids.push(await write(user, `ends ${n}`))
    const path = `v1/accounts/${user.username}/posts`
    const { nextCursor } = (await visitor.get<Page>(path, { searchParams: { limit: 2 } })).body
    // The cursor's own post is deleted, too.
    for (const id of ids.slice(0, 3)) await user.client.delete(`v1/posts/${id}`)
    const { body } = await visitor.get<Page>(path, { searchParams: { limit: 2, cursor: nextCursor ?? '' } })
    t.same(body, { items: [], nextCursor: null })
  })

  t.test('a cursor is valid for its own list only', async (t) => {
    const cursorOf = async (path: string) =>
      (await visitor.get<Page>(path, { searchParams: { limit: 1 } })).body.nextCursor ?? ''
    const own = `v1/accounts/${ann.username}/posts`
    const refused = { statusCode: 400, body: { code: 'validation', errors: [{ pointer: '/query/cursor' }] } }
    const cursor = await cursorOf('v1/posts')
    t.match(await visitor.get(own, { searchParams: { cursor } }), refused)
    t.match(await visitor.get('v1/posts', { searchParams: { cursor: await cursorOf(own) } }), refused)
    for (const bad of ['', 'x', `${cursor}A`, cursor.slice(0, -1), `${cursor}=`]) {
      t.match(await visitor.get('v1/posts', { searchParams: { cursor: bad } }), refused, JSON.stringify(bad))
    }
    const upper = `v1/accounts/${ann.username.toUpperCase()}/posts`
    t.equal((await visitor.get(upper, { searchParams: { cursor: await cursorOf(own) } })).statusCode, 200)
    t.equal((await visitor.get('v1/accounts/no_such_account/posts')).statusCode, 404)
  })
})
