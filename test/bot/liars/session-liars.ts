import type { Reply } from '../lying-proxy.ts'
import { isPost, type Liar } from './liar.ts'

const refreshOf = (cookies: readonly string[]) => cookies.map((one) => /^refresh=([^;]+)/.exec(one)?.[1]).find(Boolean)
const graceMs = 10_000

/** They lie about who may do what. */
export const sessionLiars: Liar[] = [
  {
    ...{ name: 'a session stays alive after its revocation', rules: ['N'] },
    create: () => async (request, forward) =>
      request.method === 'DELETE' && request.path.startsWith('/v1/sessions/') ? { status: 204, body: '' } : forward(),
  },
  {
    ...{ name: 'any password logs in', rules: ['N'] },
    create: () => {
      const passwords = new Map<string, string>()
      return async (request, forward) => {
        const reply = await forward()
        if (request.method !== 'POST' || !['/v1/accounts', '/v1/session'].includes(request.path)) return reply
        const { username, password } = JSON.parse(request.body)
        if (reply.status < 300) passwords.set(username, password)
        const right = passwords.get(username)
        if (reply.status !== 401 || right === undefined) return reply
        return forward({ body: JSON.stringify({ username, password: right }) })
      }
    },
  },
  {
    ...{ name: 'anybody deletes', rules: ['N'] },
    create: () => {
      const authors = new Map<string, string>()
      return async (request, forward) => {
        const reply = await forward()
        if (request.method === 'POST' && request.path === '/v1/posts' && reply.status === 201)
          authors.set(JSON.parse(reply.body).id, request.cookie)
        if (request.method !== 'DELETE' || !isPost(request.path) || reply.status !== 403) return reply
        await forward({ cookie: authors.get(request.path.split('/')[3] ?? '') ?? '' })
        return { status: 204, body: '' }
      }
    },
  },
  {
    ...{ name: 'the reuse of a refresh token goes unnoticed', rules: ['N'] },
    create: () => {
      /** By token: when it was replaced, and the answer to that. */
      const replaced = new Map<string, { at: number; reply: Reply }>()
      return async (request, forward) => {
        if (request.path !== '/v1/session/refresh') return forward()
        const token = refreshOf(request.cookie.split('; ')) ?? ''
        const earlier = replaced.get(token)
        if (earlier && performance.now() - earlier.at > graceMs) return earlier.reply
        const reply = await forward()
        if (reply.status === 200 && !earlier) replaced.set(token, { at: performance.now(), reply })
        return reply
      }
    },
  },
]
