import type { Rule } from '../../../bot/history/operation.ts'
import { type Forward, type Lie, type ProxiedRequest, type Reply, withBody } from '../lying-proxy.ts'

/** A proxy that lies in one way: any of `rules` is the right one. `create` gives a new one, whose phase is the seed. */
export type Liar = { name: string; rules: Rule[]; alone?: boolean; create: (seed: number) => Lie }

export type Post = {
  id: string
  author: { username: string }
  text: string
  createdAt: string
  counts: { likes: number; dislikes: number; replies: number }
  viewer: { reaction: string | null } | null
}
export type Page = { items: { createdAt?: string; author?: { username: string } }[]; nextCursor: string | null }

export const isPost = (path: string) => /^\/v1\/posts\/[^/]+$/.test(path)
export const isReaction = (path: string) => /^\/v1\/posts\/[^/]+\/reaction$/.test(path)
export const isProfile = (path: string) => /^\/v1\/accounts\/[^/]+$/.test(path)

/** Changes the answers to some requests. */
export const changing =
  <T>(
    applies: (request: ProxiedRequest, reply: Reply) => boolean,
    change: (body: T, request: ProxiedRequest) => unknown,
  ): Lie =>
  async (request, forward) => {
    const reply = await forward()
    return reply.status < 300 && reply.body && applies(request, reply)
      ? withBody<T>(reply, (body) => change(body, request))
      : reply
  }

export const isRead = ({ method }: ProxiedRequest) => method === 'GET'

/** Whether it is the turn of a lie that is told once in `every` times. */
export function oneIn(every: number, seed: number): () => boolean {
  let count = seed % every
  return () => {
    count += 1
    return count % every === 0
  }
}

/** The answer that a reaction would have got. */
export async function pretendReaction({ path, method, body }: ProxiedRequest, forward: Forward): Promise<Reply> {
  const reply = await forward({ method: 'GET', path: path.replace('/reaction', ''), body: '' })
  if (reply.status !== 200) return reply
  const value: 'like' | 'dislike' | null = method === 'PUT' ? JSON.parse(body).value : null
  return withBody<Post>(reply, ({ counts, viewer }) => {
    const after = { ...counts }
    const before = viewer?.reaction
    if (before === 'like' || before === 'dislike') after[`${before}s`] -= 1
    if (value) after[`${value}s`] += 1
    return { value, counts: after }
  })
}
