import got, { type Got } from 'got'
import { CookieJar } from 'tough-cookie'
import * as schemas from '../api-schemas.ts'
import { type Identity, postText } from '../content.ts'
import { urlOf } from '../options/server-url.ts'
import type { Target } from './http-load.ts'

const robots = 4
const postsPerRobot = 5

/** What `--only` reads: posts that robots wrote for it, by id their text, and a way to log the robots out. */
export type Prepared = { targets: Target[]; posts: Map<string, string>; logOut: () => Promise<void> }

type Author = { username: string; cookie: string; client: Got; posts: string[] }

/** Signs robots up, lets them post and follow each other. @throws RequestError when the server refuses one of these */
export async function prepareTargets(
  only: string,
  base: URL,
  ca: string | undefined,
  createIdentity: (index: number) => Identity,
  seed: number,
): Promise<Prepared> {
  const posts = new Map<string, string>()
  const authors: Author[] = []
  for (let index = 0; index < robots; index += 1) {
    const author = await signUp(base, ca, createIdentity(index))
    for (let n = 0; n < postsPerRobot; n += 1) {
      const text = postText(seed, index, n)
      const { id } = schemas.post.parse(await author.client.post(urlOf(base, '/v1/posts'), { json: { text } }).json())
      author.posts.push(id)
      posts.set(id, text)
    }
    authors.push(author)
  }
  for (const [index, { client }] of authors.entries()) {
    const followed = authors[(index + 1) % robots]
    if (followed) await client.put(urlOf(base, `/v1/accounts/${followed.username}/follow`))
  }
  return {
    posts,
    targets: authors.flatMap((author, index) => targetsOf(only, author, authors[(index + 1) % robots] ?? author)),
    logOut: async () => {
      for (const { client } of authors) await client.delete(urlOf(base, '/v1/session')).catch(() => undefined)
    },
  }
}

/** Posts that cannot be read any more or have another text, as sentences. @throws RequestError when one is unreadable */
export async function checkPosts(
  base: URL,
  ca: string | undefined,
  posts: ReadonlyMap<string, string>,
): Promise<string[]> {
  const client = openClient(ca)
  const findings: string[] = []
  for (const [id, text] of posts) {
    const response = await client.get(urlOf(base, `/v1/posts/${id}`), { throwHttpErrors: false, responseType: 'json' })
    if (response.statusCode !== 200 && response.statusCode !== 404)
      throw new Error(`/v1/posts/${id}: ${response.statusCode}`)
    const seen = schemas.post.safeParse(response.body).data?.text
    if (seen !== text)
      findings.push(`post ${id}: expected the text ${JSON.stringify(text)}, got ${JSON.stringify(seen)}`)
  }
  return findings
}

async function signUp(base: URL, ca: string | undefined, identity: Identity): Promise<Author> {
  const { username, password, displayName, bio } = identity
  const jar = new CookieJar()
  const client = openClient(ca).extend({ cookieJar: jar })
  await client.post(urlOf(base, '/v1/accounts'), { json: { username, password, displayName, bio } })
  return { username, cookie: await jar.getCookieString(urlOf(base, '/v1/timeline').href), client, posts: [] }
}

function targetsOf(only: string, author: Author, followed: Author): Target[] {
  const { username, cookie, posts } = author
  const headers = { accept: 'application/json', 'user-agent': 'rookery-bot' }
  if (only === 'read-post') return posts.map((id) => ({ path: `/v1/posts/${id}`, headers, marker: id }))
  if (only === 'read-profile') return [{ path: `/v1/accounts/${username}`, headers, marker: username }]
  if (only === 'read-posts') return [{ path: `/v1/accounts/${username}/posts`, headers, marker: posts.at(-1) ?? '' }]
  return [{ path: '/v1/timeline', headers: { ...headers, cookie }, marker: followed.posts.at(-1) ?? '' }]
}

function openClient(ca: string | undefined): Got {
  return got.extend({
    ...{ followRedirect: false, retry: { limit: 0 }, timeout: { request: 25_000 } },
    headers: { 'user-agent': 'rookery-bot', accept: 'application/json' },
    ...(ca && { https: { certificateAuthority: ca } }),
  })
}
