import t from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, signUp, testServer } from '../helper.ts'

type Page = { items: { id: string }[]; nextCursor: string | null }

t.test('paging through posts', { timeout: 200_000 }, async (t) => {
  const { url } = await testServer(t)
  const nobody = makeClient(url)
  const authors = await Promise.all(Array.from({ length: 4 }, () => signUp(url)))
  const [ann, ...others] = authors
  if (!ann) throw new Error('nobody signed up')

  const write = async (who: typeof ann, text: string) => {
    const { statusCode, body } = await who.client.post<{ id: string }>('v1/posts', { json: { text } })
    if (statusCode !== 201) throw new Error(`a post was answered ${statusCode}`)
    return body.id
  }
  const existing: { id: string; by: typeof ann }[] = []
  const readAll = async (path: string, limit: number, between = async () => {}) => {
    const seen: string[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const { body } = await nobody.get<Page>(path, { searchParams: { limit, ...(cursor && { cursor }) } })
      seen.push(...body.items.map(({ id }) => id))
      if (body.nextCursor !== null && body.items.length !== limit) throw new Error('a page with a next one is not full')
      cursor = body.nextCursor
      await between()
    }
    return seen
  }

  t.test('the posts to begin with', async () => {
    const each = async (who: typeof ann) => {
      for (let n = 0; n < 90; n += 1) existing.push({ id: await write(who, `early ${n}`), by: who })
    }
    await Promise.all(authors.map(each))
  })

  t.test('at rest: all of them, newest first, with any limit', async (t) => {
    const newestFirst = existing.map(({ id }) => id).sort((a, b) => (a < b ? 1 : -1))
    for (const limit of [1, 7, 60, 90, 100]) {
      const path = limit === 1 ? `v1/accounts/${ann.username}/posts` : 'v1/posts'
      const wanted =
        limit === 1 ? newestFirst.filter((id) => existing.some((e) => e.id === id && e.by === ann)) : newestFirst
      t.same(await readAll(path, limit), wanted, `${limit} a page`)
    }
    const { body } = await nobody.get<Page>('v1/posts')
    t.equal(body.items.length, 20, '20 unless said otherwise')
  })

  t.test('while others create and delete: what stayed is seen exactly once', async (t) => {
    const doomed = existing.filter((_, n) => n % 3 === 0)
    const stays = new Set(existing.filter((_, n) => n % 3 !== 0).map(({ id }) => id))
    let reading = true
    let created = 0
    const deletions: number[] = []
    const disturb = async (who: typeof ann) => {
      while (reading) {
        await write(who, `late ${created++}`)
        const victim = doomed.findIndex(({ by }) => by === who)
        const [gone] = victim >= 0 ? doomed.splice(victim, 1) : []
        if (gone) deletions.push((await who.client.delete(`v1/posts/${gone.id}`)).statusCode)
      }
    }
    const disturbance = Promise.all(others.map(disturb))
    // The reader waits until the others have got on between two pages: order, not time.
    const until = async () => {
      const goal = created + 2
      await eventually(() => created >= goal, { everyMs: 5 })
    }
    const [all, own] = await Promise.all([
      readAll('v1/posts', 11, until),
      readAll(`v1/accounts/${ann.username}/posts`, 7, until),
    ])
    reading = false
    await disturbance
    t.ok(created > 50, `${created} posts were made meanwhile`)
    t.ok(deletions.length > 30, `and ${deletions.length} deleted`)
    t.ok(deletions.every((status) => status === 204))
    for (const seen of [all, own]) {
      t.equal(new Set(seen).size, seen.length, 'nothing twice')
      t.same(seen, seen.toSorted().reverse(), 'newest first')
    }
    t.same(
      all.filter((id) => stays.has(id)),
      [...stays].sort().reverse(),
    )
    const annsThatStay = existing.filter(({ id, by }) => by === ann && stays.has(id)).map(({ id }) => id)
    t.same(
      own.filter((id) => stays.has(id)),
      annsThatStay.sort().reverse(),
    )
  })

  t.test('the last page of what was deleted meanwhile ends in order', async (t) => {
    const who = await signUp(url)
    const ids: string[] = []
    for (const n of [1, 2, 3, 4]) ids.push(await write(who, `ends ${n}`))
    const path = `v1/accounts/${who.username}/posts`
    const { nextCursor } = (await nobody.get<Page>(path, { searchParams: { limit: 2 } })).body
    // The cursor’s own post goes too: the place stays.
    for (const id of ids.slice(0, 3)) await who.client.delete(`v1/posts/${id}`)
    const { body } = await nobody.get<Page>(path, { searchParams: { limit: 2, cursor: nextCursor ?? '' } })
    t.same(body, { items: [], nextCursor: null })
  })

  t.test('a cursor fits its own list only', async (t) => {
    const cursorOf = async (path: string) =>
      (await nobody.get<Page>(path, { searchParams: { limit: 1 } })).body.nextCursor ?? ''
    const own = `v1/accounts/${ann.username}/posts`
    const refused = { statusCode: 400, body: { code: 'validation', errors: [{ pointer: '/query/cursor' }] } }
    const cursor = await cursorOf('v1/posts')
    t.match(await nobody.get(own, { searchParams: { cursor } }), refused)
    t.match(await nobody.get('v1/posts', { searchParams: { cursor: await cursorOf(own) } }), refused)
    for (const bad of ['', 'x', `${cursor}A`, cursor.slice(0, -1), `${cursor}=`]) {
      t.match(await nobody.get('v1/posts', { searchParams: { cursor: bad } }), refused, JSON.stringify(bad))
    }
    const upper = `v1/accounts/${ann.username.toUpperCase()}/posts`
    t.equal((await nobody.get(upper, { searchParams: { cursor: await cursorOf(own) } })).statusCode, 200)
    t.equal((await nobody.get('v1/accounts/no_such_one/posts')).statusCode, 404)
  })
})
