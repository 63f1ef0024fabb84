import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'

/** Each server gets so many requests at a time: a span is as exact as they are close. */
const loopsOfEach = 2
const pauseMs = 200
/** Far longer than the contract's 5 s: a request without an answer by then is a fault of the server. */
const answerTimeoutMs = 60_000

const kinds = ['read', 'write'] as const

/** One request. Times are of `performance.now()`; without an answer, `status` says why. */
export type Attempt = {
  server: string
  kind: (typeof kinds)[number]
  sentMs: number
  answeredMs: number
  status: number | string
}

export type Probes = Awaited<ReturnType<typeof startProbes>>

export const isSuccess = ({ status }: Attempt): boolean => typeof status === 'number' && status < 300

/** Reads and writes at each server steadily, never in retry: what a client sees that gives up at the first error. */
export async function startProbes(urls: readonly string[]) {
  const attempts: Attempt[] = []
  const stopping = new AbortController()
  const loops = urls.flatMap((server) => kinds.flatMap((kind) => Array(loopsOfEach).fill({ server, kind })))
  const latest = new Map<number, { succeededMs: number; failedMs: number }>()
  const { path, cookie } = await createPost(urls[0] ?? '')

  async function probe(loop: number, { server, kind }: Pick<Attempt, 'server' | 'kind'>): Promise<void> {
    for (let n = 0; !stopping.signal.aborted; n += 1) {
      const sentMs = performance.now()
      const status = await send(`${server}${path}`, kind, n % 2 === 0 ? 'like' : 'dislike', cookie)
      const attempt = { server, kind, sentMs, answeredMs: performance.now(), status }
      attempts.push(attempt)
      const times = latest.get(loop) ?? { succeededMs: 0, failedMs: 0 }
      latest.set(loop, { ...times, [isSuccess(attempt) ? 'succeededMs' : 'failedMs']: attempt.answeredMs })
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }
  const running = Promise.all(loops.map((loop, number) => probe(number, loop)))

  return {
    attempts,
    /** For how long every loop has had only success, since `sinceMs` at most. */
    steadyMs(sinceMs: number): number {
      if (latest.size < loops.length) return 0
      return Math.min(...[...latest.values()].map((at) => at.succeededMs - Math.max(at.failedMs, sinceMs)))
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}

async function createPost(url: string) {
  const headers = { 'content-type': 'application/json' }
  const username = `probe_${randomBytes(6).toString('hex')}`
  const account = JSON.stringify({ username, password: 'vexed quartz lynx' })
  const signUp = await fetch(`${url}/v1/accounts`, { method: 'POST', headers, body: account })
  const cookie = signUp.headers.getSetCookie().map((line) => line.split(';')[0])
  const post = await fetch(`${url}/v1/posts`, {
    method: 'POST',
    headers: { ...headers, cookie: cookie.join('; ') },
    body: JSON.stringify({ text: 'Of the probes' }),
  })
  if (post.status !== 201) throw new Error(`the probes cannot post: ${post.status} ${await post.text()}`)
  const { id } = z.object({ id: z.string() }).parse(await post.json())
  return { path: `/v1/posts/${id}`, cookie: cookie.join('; ') }
}

async function send(url: string, kind: Attempt['kind'], value: string, cookie: string): Promise<number | string> {
  const signal = AbortSignal.timeout(answerTimeoutMs)
  const headers = { 'content-type': 'application/json', cookie }
  const body = JSON.stringify({ value })
  const request =
    kind === 'read' ? fetch(url, { signal }) : fetch(`${url}/reaction`, { method: 'PUT', headers, body, signal })
  try {
    const response = await request
    await response.arrayBuffer()
    return response.status
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } } // fetch's TypeError has the reason as its cause
    return cause?.code ?? String(error)
  }
}
