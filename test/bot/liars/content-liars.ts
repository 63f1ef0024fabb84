import { setTimeout as sleep } from 'node:timers/promises'
import type { Reply } from '../lying-proxy.ts'
import { withBody } from '../lying-proxy.ts'
import {
  changing,
  isPost,
  isProfile,
  isReaction,
  isRead,
  type Liar,
  oneIn,
  type Page,
  type Post,
  pretendReaction,
} from './liar.ts'

const isList = ({ path, method }: { path: string; method: string }, { body }: Reply) =>
  method === 'GET' && path !== '/v1/sessions' && path !== '/v1/account/activity' && body.startsWith('{"items"')
const maxTextLength = 500

/** They lie about posts, reactions, follows and lists. */
export const contentLiars: Liar[] = [
  {
    ...{ name: 'one reaction in 50 is dropped after its answer', rules: ['R', 'C', 'S'] },
    create(seed) {
      const isTurn = oneIn(50, seed * 7)
      return (request, forward) =>
        request.method !== 'GET' && isReaction(request.path) && isTurn() ? pretendReaction(request, forward) : forward()
    },
  },
  {
    ...{ name: 'one post in 20 is created twice', rules: ['I'] },
    create(seed) {
      const isTurn = oneIn(20, seed * 3)
      return async (request, forward) => {
        const reply = await forward()
        const isCreation = request.method === 'POST' && request.path === '/v1/posts'
        if (isCreation && reply.status === 201 && isTurn()) await forward({ key: `${request.key}.again` })
        return reply
      }
    },
  },
  {
    ...{ name: 'counts of posts are off by one', rules: ['C'] },
    create(seed) {
      const isTurn = oneIn(5, seed)
      let sign = seed % 2 === 0 ? 1 : -1
      return changing<Post>(
        (request) => isRead(request) && isPost(request.path) && isTurn(),
        (post) => {
          sign = -sign
          const likes = Math.max(0, post.counts.likes + sign)
          return { ...post, counts: { ...post.counts, likes } }
        },
      )
    },
  },
  {
    ...{ name: 'texts are cut at 499 characters', rules: ['R'] },
    create: () => (request, forward) => {
      if (request.path !== '/v1/posts' || request.method !== 'POST') return forward()
      const body = JSON.parse(request.body)
      const text = [...body.text]
        .slice(0, maxTextLength - 1)
        .join('')
        .trimEnd()
      return forward({ body: JSON.stringify({ ...body, text }) })
    },
  },
  {
    ...{ name: 'the timeline lacks one who is followed', rules: ['S'] },
    create: () => {
      let hidden: string | undefined
      return changing<Page>(
        (request) => request.path === '/v1/timeline',
        (page) => {
          hidden ??= page.items.find(({ author }) => author?.username !== page.items.at(-1)?.author?.username)?.author
            ?.username
          return { ...page, items: page.items.filter(({ author }) => author?.username !== hidden) }
        },
      )
    },
  },
  {
    ...{ name: 'deleted posts stay in the public list', rules: ['S', 'R'] },
    create: () => {
      const deleted: Post[] = []
      return async (request, forward) => {
        if (request.method === 'DELETE' && isPost(request.path)) {
          const before = await forward({ method: 'GET', body: '' })
          const reply = await forward()
          const post: Post & { replyTo: string | null } = JSON.parse(before.body)
          if (reply.status === 204 && post.replyTo === null) deleted.push(post)
          return reply
        }
        const reply = await forward()
        if (request.method !== 'GET' || request.path !== '/v1/posts' || reply.status !== 200) return reply
        return withBody<{ items: Post[]; nextCursor: string | null }>(reply, ({ items, nextCursor }) => {
          const oldest = nextCursor === null ? '' : (items.at(-1)?.createdAt ?? '')
          const newest = request.query.has('cursor') ? (items[0]?.createdAt ?? '') : '9'
          const kept = deleted.filter(({ createdAt }) => createdAt > oldest && createdAt < newest)
          const all = [...items, ...kept].sort((a, b) => (`${a.createdAt}${a.id}` < `${b.createdAt}${b.id}` ? 1 : -1))
          return { items: all, nextCursor }
        })
      }
    },
  },
  {
    ...{ name: 'the number of followers is wrong', rules: ['C'] },
    create: (seed) =>
      changing<{ counts: { followers: number } }>(
        (request) => isRead(request) && isProfile(request.path),
        (account) => {
          const { followers } = account.counts
          const wrong = followers === 0 ? 0 : followers + (seed % 2 === 0 ? 1 : -1)
          return { ...account, counts: { ...account.counts, followers: wrong } }
        },
      ),
  },
  {
    ...{ name: 'reactions take effect 300 ms after their answer', rules: ['R', 'C', 'S'] },
    create: () => async (request, forward) => {
      if (request.method === 'GET' || !isReaction(request.path)) return forward()
      const reply = await pretendReaction(request, forward)
      sleep(300)
        .then(() => forward())
        .catch(() => undefined)
      return reply
    },
  },
  {
    ...{ name: 'the first item of a next page is lost', rules: ['S'] },
    create: () =>
      changing<Page>(
        (request, reply) => isList(request, reply) && request.query.has('cursor'),
        (page) => ({ ...page, items: page.items.slice(1) }),
      ),
  },
  {
    ...{ name: 'reads are cached for a second', rules: ['R', 'C', 'S'] },
    create: () => {
      const cache = new Map<string, { at: number; reply: Reply }>()
      return async (request, forward) => {
        if (request.method !== 'GET') return forward()
        const key = `${request.path}?${request.query} ${request.cookie}`
        const cached = cache.get(key)
        if (cached && performance.now() - cached.at < 1_000) return cached.reply
        const reply = await forward()
        cache.set(key, { at: performance.now(), reply })
        return reply
      }
    },
  },
  {
    ...{ name: 'the answer to a reaction counts wrongly', rules: ['C'] },
    create: (seed) =>
      changing<Pick<Post, 'counts'>>(
        ({ method, path }) => method === 'PUT' && isReaction(path),
        (reacted) => {
          const likes = Math.max(0, reacted.counts.likes + (seed % 2 === 0 ? 1 : -1))
          const { dislikes } = reacted.counts
          // One too few is wrong of a like only; a dislike is counted then.
          return likes === reacted.counts.likes
            ? { ...reacted, counts: { ...reacted.counts, dislikes: dislikes + 1 } }
            : { ...reacted, counts: { ...reacted.counts, likes } }
        },
      ),
  },
  {
    ...{ name: 'a list is out of order', rules: ['S'] },
    create: () =>
      changing<Page>(
        (request, reply) => isList(request, reply),
        ({ items: [first, second, ...rest], nextCursor }) => ({
          items: first && second ? [second, first, ...rest] : [first, second, ...rest].filter(Boolean),
          nextCursor,
        }),
      ),
  },
  {
    ...{ name: 'the Idempotency-Key is ignored', rules: ['I'] },
    create: () => (_request, forward) => forward({ key: '' }),
  },
  {
    ...{ name: 'viewer is null', rules: ['R'] },
    create: () =>
      changing<Post>(
        (request) => isRead(request) && isPost(request.path),
        (post) => ({ ...post, viewer: null }),
      ),
  },
  {
    ...{ name: 'the analytics count 7 too many', rules: ['E'], alone: true },
    create: () =>
      changing<{ items: { likes: number }[]; total: { likes: number } }>(
        ({ path }) => path === '/v1/analytics/reactions',
        (sums) => {
          if (sums.total.likes === 0) return sums
          const items = sums.items.map((day) => ({ ...day, likes: day.likes + 7 }))
          return { items, total: { ...sums.total, likes: sums.total.likes + 7 } }
        },
      ),
  },
  {
    ...{ name: 'a new bio is lost', rules: ['R'] },
    create: () => async (request, forward) => {
      if (request.method !== 'PATCH' || request.path !== '/v1/account') return forward()
      const { bio, ...rest } = JSON.parse(request.body)
      return withBody<object>(await forward({ body: JSON.stringify(rest) }), (account) => ({ ...account, bio }))
    },
  },
]
