import t from 'tap'
import { makeClient, signUp } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'

type Post = { id: string; text: string; viewer: { reaction: string | null } | null }
type Page = { items: Post[]; nextCursor: string | null }
type Client = ReturnType<typeof makeClient>

const write = async (client: Client, text: string, replyTo?: string) =>
  (await client.post<Post>('v1/posts', { json: { text, ...(replyTo && { replyTo }) } })).body.id
const timeline = async (client: Client, query = '') => (await client.get<Page>(`v1/timeline${query}`)).body
const texts = async (client: Client) => (await timeline(client)).items.map(({ text }) => text)

t.test('a timeline has the root posts of its owner and of followed accounts, at once on every server', async (t) => {
  const { urls } = await twoServers(t)
  const [ann, bob, cyd] = [await signUp(urls[0], 'ann'), await signUp(urls[1], 'bob'), await signUp(urls[1], 'cyd')]
  t.same(await timeline(ann.client), { items: [], nextCursor: null }, 'empty without follows')
  const own = await write(ann.client, 'ann 1')
  const first = await write(bob.client, 'bob 1')
  await write(cyd.client, 'cyd 1')
  t.same(await texts(ann.client), ['ann 1'])
  await ann.client.put('v1/accounts/bob/follow')
  t.same(await texts(ann.client), ['bob 1', 'ann 1'], 'a follow shows at once')
  await write(bob.client, 'a reply', own)
  const second = await write(bob.client, 'bob 2')
  t.same(await texts(ann.client), ['bob 2', 'bob 1', 'ann 1'], 'a reply does not')
  await ann.client.put(`v1/posts/${first}/reaction`, { json: { value: 'dislike' } })
  t.match(
    (await timeline(ann.client)).items.map(({ viewer }) => viewer?.reaction),
    [null, 'dislike', null],
  )
  await bob.client.patch(`v1/posts/${first}`, { json: { text: 'bob 1, edited' } })
  await bob.client.patch('v1/account', { json: { displayName: 'Robert' } })
  const { items } = await timeline(ann.client)
  t.match(items[1], { text: 'bob 1, edited', author: { username: 'bob', displayName: 'Robert' } })
  await bob.client.delete(`v1/posts/${second}`)
  t.same(await texts(ann.client), ['bob 1, edited', 'ann 1'], 'a deleted post is removed at once')
  await ann.client.delete('v1/accounts/bob/follow')
  t.same(await texts(ann.client), ['ann 1'])
  t.same(await texts(bob.client), ['bob 1, edited'], 'followers’ posts do not show')
})

t.test('a timeline requires a session and is not cached, and its cursors are valid for its owner only', async (t) => {
  const { urls } = await twoServers(t)
  const [ann, bob] = [await signUp(urls[0]), await signUp(urls[0])]
  t.equal((await makeClient(urls[0]).get('v1/timeline')).statusCode, 401)
  for (const n of [1, 2]) await write(ann.client, `${n}`)
  const { body, headers } = await ann.client.get<Page>('v1/timeline?limit=1')
  t.equal(headers['cache-control'], 'no-store')
  t.equal((await ann.client.get(`v1/timeline?cursor=${body.nextCursor}`)).statusCode, 200)
  t.equal((await bob.client.get(`v1/timeline?cursor=${body.nextCursor}`)).statusCode, 400)
  t.equal((await ann.client.get(`v1/posts?cursor=${body.nextCursor}`)).statusCode, 400)
})

t.test(
  'pages of a timeline have each remaining post exactly once during concurrent writes, deletions and follows',
  async (t) => {
    const { urls } = await twoServers(t)
    const reader = await signUp(urls[0])
    const authors = await Promise.all(Array.from({ length: 4 }, () => signUp(urls[1])))
    const newlyFollowed = await signUp(urls[1])
    for (const { username } of authors) await reader.client.put(`v1/accounts/${username}/follow`)
    const authorOf = new Map<string, Client>()
    for (let n = 0; n < 40; n += 1) {
      const { client } = authors[n % 4] ?? reader
      authorOf.set(await write(client, `${n}`), client)
    }
    await write(newlyFollowed.client, 'not yet followed')
    for (const limit of [1, 7, 100]) {
      const seen: string[] = []
      let cursor: string | null = ''
      for (let n = 0; cursor !== null; n += 1) {
        const page: Page = await timeline(reader.client, `?limit=${limit}${cursor && `&cursor=${cursor}`}`)
        seen.push(...page.items.map(({ id }) => id))
        cursor = page.nextCursor
        if (n % 3 === 0) await write(authors[n % 4]?.client ?? reader.client, 'between pages')
        const [doomed, author] = [...authorOf][(n * 7) % authorOf.size] ?? []
        if (doomed && author && n % 5 === 4) {
          await author.delete(`v1/posts/${doomed}`)
          authorOf.delete(doomed)
        }
        if (n === 2) await reader.client.put(`v1/accounts/${newlyFollowed.username}/follow`)
      }
      t.equal(new Set(seen).size, seen.length, `${limit} a page: no post twice`)
      t.same(
        [...authorOf.keys()].filter((id) => !seen.includes(id)),
        [],
        'no post is missing',
      )
      t.same(seen, seen.toSorted().toReversed(), 'newest first')
    }
  },
)
