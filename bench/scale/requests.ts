import type { UUID } from 'mongodb'
import { pageFrom } from '../../src/http/pages.ts'
import type { Filled } from './fill.ts'
import { password } from './reader.ts'

/** One measured request, the n-th time. */
export type Measured = { name: string; path: (n: number) => string; method?: string; body?: (n: number) => object }

const pick = <Item>(items: readonly Item[], n: number): Item => {
  const item = items[(n * 7_919) % items.length]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

/** The cursor after an item of a list. */
const cursorAfter = (list: string, id: UUID): string =>
  pageFrom(list, 1, [id, id], (item) => item.toString()).nextCursor ?? ''

/** What is measured at each size: every list, its first page and one far behind, single reads, writes. */
export function requests({ ids, popular, usernames }: Filled): Measured[] {
  const deep = ids[Math.floor(ids.length / 5)] ?? popular
  const busiest = usernames[0] ?? ''
  const day = (age: number) => new Date(Date.now() - age * 86_400_000).toISOString().slice(0, 10)
  return [
    { name: 'a post', path: (n) => `/v1/posts/${pick(ids, n)}` },
    { name: 'an account', path: (n) => `/v1/accounts/${pick(usernames, n)}` },
    { name: 'newest posts', path: () => '/v1/posts' },
    { name: 'posts, four fifths back', path: () => `/v1/posts?cursor=${cursorAfter('posts', deep)}` },
    { name: 'posts of an account', path: () => `/v1/accounts/${busiest}/posts` },
    {
      name: 'posts of an account, four fifths back',
      path: () => `/v1/accounts/${busiest}/posts?cursor=${cursorAfter(`posts by ${busiest}`, deep)}`,
    },
    { name: 'replies to the popular post', path: () => `/v1/posts/${popular}/replies` },
    {
      name: 'replies, four fifths back',
      path: () => `/v1/posts/${popular}/replies?cursor=${cursorAfter(`replies to ${popular}`, deep)}`,
    },
    { name: 'reactions to the popular post', path: () => `/v1/posts/${popular}/reactions` },
    { name: 'own reactions', path: () => '/v1/account/reactions' },
    { name: 'followers of ten accounts', path: (n) => `/v1/accounts/${pick(usernames, n % 10)}/followers` },
    {
      name: 'followers of an account not read before',
      path: (n) => `/v1/accounts/${pick(usernames, n + 10)}/followers`,
    },
    { name: 'timeline', path: () => '/v1/timeline' },
    { name: 'analytics of a year', path: () => `/v1/analytics/reactions?from=${day(365)}&to=${day(0)}` },
    { name: 'who am I', path: () => '/v1/session' },
    { name: 'create a post', method: 'POST', path: () => '/v1/posts', body: (n) => ({ text: `Post ${n}` }) },
    {
      name: 'react',
      method: 'PUT',
      path: (n) => `/v1/posts/${pick(ids, n)}/reaction`,
      body: (n) => ({ value: n % 2 === 0 ? 'like' : 'dislike' }),
    },
    {
      name: 'react to the popular post',
      method: 'PUT',
      path: () => `/v1/posts/${popular}/reaction`,
      body: (n) => ({ value: n % 2 === 0 ? 'like' : 'dislike' }),
    },
    { name: 'follow', method: 'PUT', path: (n) => `/v1/accounts/${pick(usernames, n + 50)}/follow` },
    { name: 'log in', method: 'POST', path: () => '/v1/session', body: () => ({ username: 'reader', password }) },
  ]
}
