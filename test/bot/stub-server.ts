import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

type StubAccount = { username: string; password: string }
type StubPost = {
  id: string
  author: string
  text: string
  createdAt: string
  replyTo: string | null
  reactions: Map<string, string>
}
type Reply = { status: number; body?: unknown; headers?: Record<string, string | string[]> }

/** What a test may do to one request: respond in its place, before or after applying it, or drop the connection. */
export type Fault = Reply | { applied: Reply } | 'apply, then drop' | 'drop' | undefined

/** An in-memory Rookery with what the bot uses, so that a test can drop responses or falsify data. */
export async function stubServer(t: Test, fault: (request: IncomingMessage, nth: number) => Fault = () => undefined) {
  const stub = {
    url: '',
    requests: [] as { method: string; path: string; key: string | undefined; at: number }[],
    accounts: new Map<string, StubAccount>(),
    posts: [] as StubPost[],
    /** `follower followed`, oldest first. */
    follows: new Set<string>(),
    confirmed: new Set<string>(),
    sessions: new Map<string, string>(),
    refreshes: new Map<string, string>(),
    keys: new Map<string, StubPost>(),
    falsify: (_path: string, body: unknown): unknown => body,
  }

  const server = createServer(async (request, response) => {
    const body = JSON.parse((await text(request)) || 'null')
    const { pathname: path, searchParams } = new URL(request.url ?? '', 'http://stub')
    const key = request.headers['idempotency-key']
    const method = request.method ?? ''
    stub.requests.push({ method, path, key: typeof key === 'string' ? key : undefined, at: Date.now() })
    const done = fault(request, stub.requests.filter((r) => r.method === method && r.path === path).length)
    if (done === 'drop') return request.socket.destroy()
    if (typeof done === 'object' && 'status' in done) return send(response, done)
    const reply = answer(method, path, searchParams, body, cookies(request), stub.requests.at(-1)?.key)
    if (typeof done === 'object') return send(response, done.applied)
    if (done) return request.socket.destroy()
    return send(response, { ...reply, body: stub.falsify(path, reply.body) })
  })

  function answer(
    method: string,
    path: string,
    query: URLSearchParams,
    // biome-ignore lint/suspicious/noExplicitAny: the stub trusts the bot's requests.
    body: any,
    jar: Map<string, string>,
    key: string | undefined,
  ): Reply {
    const me = stub.sessions.get(jar.get('session') ?? '')
    const [, , kind, name, what] = path.split('/')
    if (path === '/health/ready') return { status: 200 }
    if (path === '/v1/accounts' && method === 'POST') {
      if (stub.accounts.has(body.username)) return problem(409, 'username-taken')
      stub.accounts.set(body.username, body)
      return { status: 201, body: account(body.username), headers: issueCookies(body.username) }
    }
    if (path === '/v1/session' && method === 'POST') {
      if (stub.accounts.get(body.username)?.password !== body.password) return problem(401, 'invalid-credentials')
      return { status: 200, body: { account: account(body.username) }, headers: issueCookies(body.username) }
    }
    if (path === '/v1/session/refresh') {
      const token = jar.get('refresh') ?? ''
      const username = stub.refreshes.get(token)
      stub.refreshes.delete(token)
      if (!username) return problem(401, 'unauthenticated')
      return { status: 200, body: { account: account(username) }, headers: issueCookies(username) }
    }
    if (path === '/v1/session' && method === 'DELETE') {
      stub.sessions.delete(jar.get('session') ?? '')
      return { status: 204, headers: { 'set-cookie': ['session=; Path=/; Max-Age=0', 'refresh=; Path=/; Max-Age=0'] } }
    }
    if (path === '/v1/session/confirm') {
      if (!me) return problem(401, 'unauthenticated')
      stub.confirmed.add(me)
      return { status: 200, body: { account: account(me) } }
    }
    if (path === '/v1/account' && method === 'DELETE') {
      if (!me) return problem(401, 'unauthenticated')
      if (!stub.confirmed.has(me)) return problem(403, 'confirmation-required')
      deleteAccount(me)
      return { status: 204 }
    }
    if (path === '/v1/timeline') {
      if (!me) return problem(401, 'unauthenticated')
      const isVisible = ({ author }: StubPost) => author === me || stub.follows.has(`${me} ${author}`)
      return page(query, stub.posts.filter((post) => post.replyTo === null && isVisible(post)).map(toBody))
    }
    if (kind === 'accounts' && name && what === 'follow') {
      if (!me) return problem(401, 'unauthenticated')
      if (!stub.accounts.has(name)) return problem(404, 'not-found')
      if (method === 'PUT') stub.follows.add(`${me} ${name}`)
      else stub.follows.delete(`${me} ${name}`)
      return { status: 204 }
    }
    if (kind === 'accounts' && name) {
      if (!stub.accounts.has(name)) return problem(404, 'not-found')
      if (!what) return { status: 200, body: account(name) }
      if (what === 'followers') return page(query, pairs(1, name).map(account))
      if (what === 'following') return page(query, pairs(0, name).map(account))
      return page(query, stub.posts.filter((post) => post.author === name).map(toBody))
    }
    const roots = () => stub.posts.filter(({ replyTo }) => replyTo === null)
    if (path === '/v1/posts' && method === 'GET') return page(query, roots().map(toBody))
    if (path === '/v1/posts') {
      if (!me) return problem(401, 'unauthenticated')
      const known = key === undefined ? undefined : stub.keys.get(`${me} ${key}`)
      const { text, replyTo = null } = body
      if (replyTo !== null && !stub.posts.some(({ id }) => id === replyTo)) return problem(400, 'validation')
      const post = known ?? { id: randomUUID(), author: me, text, createdAt: now(), replyTo, reactions: new Map() }
      if (!known) stub.posts.push(post)
      if (key) stub.keys.set(`${me} ${key}`, post)
      return { status: 201, body: toBody(post) }
    }
    const post = stub.posts.find(({ id }) => id === name)
    if (!post) return problem(404, 'not-found')
    if (method === 'GET' && !what) return { status: 200, body: toBody(post) }
    if (what === 'replies') return page(query, stub.posts.filter(({ replyTo }) => replyTo === post.id).map(toBody))
    if (method === 'GET')
      return page(
        query,
        [...post.reactions].map(([username, value]) => ({ account: { username }, value })),
      )
    if (!me) return problem(401, 'unauthenticated')
    if (method === 'DELETE' && !what) {
      stub.posts.splice(stub.posts.indexOf(post), 1)
      return { status: 204 }
    }
    if (method === 'DELETE') post.reactions.delete(me)
    else post.reactions.set(me, body.value)
    return { status: 200, body: { value: body?.value ?? null } }
  }

  function issueCookies(username: string) {
    const [session, refresh] = [randomUUID(), randomUUID()]
    stub.sessions.set(session, username)
    stub.refreshes.set(refresh, username)
    return { 'set-cookie': [`session=${session}; HttpOnly; Path=/`, `refresh=${refresh}; HttpOnly; Path=/`] }
  }

  function account(username: string) {
    const posts = stub.posts.filter((post) => post.author === username).length
    const [followers, following] = [pairs(1, username).length, pairs(0, username).length]
    return { username, counts: { posts, followers, following } }
  }

  /** The accounts that a username follows (side 0), or that follow it (side 1). */
  function pairs(side: 0 | 1, username: string): string[] {
    const all = [...stub.follows].map((pair) => pair.split(' '))
    return all.filter((pair) => pair[side] === username).map((pair) => pair[1 - side] ?? '')
  }

  function deleteAccount(username: string) {
    stub.accounts.delete(username)
    stub.posts = stub.posts.filter(({ author }) => author !== username)
    for (const { reactions } of stub.posts) reactions.delete(username)
    for (const pair of stub.follows) if (pair.split(' ').includes(username)) stub.follows.delete(pair)
    for (const [token, name] of stub.sessions) if (name === username) stub.sessions.delete(token)
    for (const [token, name] of stub.refreshes) if (name === username) stub.refreshes.delete(token)
  }

  function toBody({ reactions, author, ...post }: StubPost) {
    const likes = [...reactions.values()].filter((value) => value === 'like').length
    const replies = stub.posts.filter(({ replyTo }) => replyTo === post.id).length
    return { ...post, author: { username: author }, counts: { likes, dislikes: reactions.size - likes, replies } }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  // A listening TCP server always has an AddressInfo.
  stub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return stub
}

function page(query: URLSearchParams, items: object[]): Reply {
  const newestFirst = items.toReversed()
  const from = Number(query.get('cursor') ?? 0)
  const to = from + Number(query.get('limit') ?? 20)
  const nextCursor = to < newestFirst.length ? String(to) : null
  return { status: 200, body: { items: newestFirst.slice(from, to), nextCursor } }
}

function problem(status: number, code: string): Reply {
  return { status, body: { code } }
}

function now(): string {
  return new Date().toISOString()
}

function cookies(request: IncomingMessage): Map<string, string> {
  return new Map(
    (request.headers.cookie ?? '')
      .split('; ')
      .map((pair): [string, string] => [pair.split('=')[0] ?? '', pair.split('=')[1] ?? '']),
  )
}

function send(response: ServerResponse, { status, body, headers = {} }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}
