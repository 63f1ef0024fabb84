import t from 'tap'
import { makeClient, signUp, testServer } from '../helper.ts'

type Account = Record<string, unknown> & { id: string }
type Page = { items: { text: string; author: { id: string } }[]; nextCursor: string | null }

t.test('profiles', async (t) => {
  const { url } = await testServer(t)
  const { client, username } = await signUp(url)
  const visitor = makeClient(url)
  const patch = (json: unknown) => client.patch<Account>('v1/account', { json: json as object })

  t.test('a profile change keeps the members that it does not name', async (t) => {
    const before = (await client.get<Account>('v1/account')).body
    const renamed = await patch({ displayName: 'A\u0301nn 🌍' })
    t.equal(renamed.statusCode, 200)
    t.same(renamed.body, { ...before, displayName: '\u00c1nn 🌍' })
    const described = await patch({ bio: 'Tells\n\tnothing' })
    t.same(described.body, { ...renamed.body, bio: 'Tells\n\tnothing' })
    t.same((await patch({ displayName: 'Ann', bio: '' })).body, { ...before, displayName: 'Ann', bio: '' })
    t.same((await client.get('v1/account')).body, { ...before, displayName: 'Ann', bio: '' })
    t.match((await visitor.get(`v1/accounts/${username}`)).body, { displayName: 'Ann', bio: '', viewer: null })
  })

  t.test('displayName has at most 50 and bio 300 code points after NFC', async (t) => {
    for (const [member, max] of [
      ['displayName', 50],
      ['bio', 300],
    ] as const) {
      for (const character of ['x', '🌍', 'e\u0301']) {
        t.equal((await patch({ [member]: character.repeat(max) })).statusCode, 200, `${max} of ${character}`)
        const { statusCode, body } = await patch({ [member]: `${character.repeat(max)}x` })
        t.equal(statusCode, 400)
        t.match(body, { code: 'validation', errors: [{ pointer: `/body/${member}` }] })
      }
    }
  })

  t.test('an empty change, a value that is no text and an unknown member get 400', async (t) => {
    const before = (await client.get('v1/account')).body
    for (const json of [{}, [], null, { bio: null }, { bio: 5 }, { displayName: '\uD800' }, { bio: 'a\u0007' }]) {
      t.equal((await patch(json)).statusCode, 400, JSON.stringify(json))
    }
    for (const member of ['username', 'id', 'password', 'counts', 'viewer', '$set']) {
      const { statusCode, body } = await patch({ bio: 'changed', [member]: 'x' })
      t.equal(statusCode, 400)
      t.match(body, { errors: [{ pointer: `/body/${member}` }] })
    }
    t.same((await client.get('v1/account')).body, before, 'nothing is stored')
  })

  t.test('without a session the own profile gets 401', async (t) => {
    for (const response of [visitor.get('v1/account'), visitor.patch('v1/account', { json: { bio: 'x' } })]) {
      const { statusCode, body } = await response
      t.equal(statusCode, 401)
      t.match(body, { code: 'unauthenticated' })
    }
  })

  t.test('the list of an account’s posts has its own posts and replies only, newest first', async (t) => {
    const ann = await signUp(url)
    const bob = await signUp(url)
    const post = async (user: typeof ann, json: object) =>
      (await user.client.post<{ id: string }>('v1/posts', { json })).body
    const first = await post(ann, { text: 'one' })
    await post(bob, { text: 'by another account' })
    await post(ann, { text: 'two', replyTo: first.id })
    await post(ann, { text: 'three' })
    const list = (query: string) => visitor.get<Page>(`v1/accounts/${ann.username}/posts${query}`)
    const texts = ({ body }: { body: Page }) => body.items.map(({ text }) => text)
    t.same(texts(await list('')), ['three', 'two', 'one'])
    const page = await list('?limit=2')
    t.same(texts(page), ['three', 'two'])
    const rest = await list(`?limit=2&cursor=${encodeURIComponent(page.body.nextCursor ?? '')}`)
    t.same(texts(rest), ['one'])
    t.equal(rest.body.nextCursor, null)
    t.match((await visitor.get(`v1/accounts/${ann.username}`)).body, { counts: { posts: 3 } })
    const other = await visitor.get(`v1/accounts/${bob.username}/posts?cursor=${page.body.nextCursor}`)
    t.equal(other.statusCode, 400, 'a cursor of another account’s list')
  })
})
