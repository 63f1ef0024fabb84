import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { Latencies } from '../../bot/load/latencies.ts'
import { handleRequests } from '../programs.ts'

/** When the request of each post was sent, and when it was answered, by `Date.now()`. */
export type PostTimes = { sentAt: number; answeredAt: number }

export type ReadersRequest =
  | { kind: 'open'; url: string; streams: number; cookie: string | undefined }
  | { kind: 'report'; posts: readonly PostTimes[] }

type Summary = { p50: number; p99: number; max: number }

/** Of all streams together, in milliseconds. An event can come before the answer: then it counts as 0 after it. */
export type ReadersReport = { open: number; events: number; ended: number; fromRequest: Summary; fromAnswer: Summary }

const open: ClientRequest[] = []
/** By the number of the post, which is its text. */
const arrivals = new Map<number, number[]>()
let ended = 0

function read(incoming: IncomingMessage): void {
  let rest = ''
  incoming.setEncoding('latin1')
  incoming.on('data', (chunk: string) => {
    const now = Date.now()
    const text = rest + chunk
    for (const [, n] of text.matchAll(/event: post\n[^\n]*"text":"post (\d+)"[^\n]*\n\n/g)) {
      const times = arrivals.get(Number(n)) ?? []
      arrivals.set(Number(n), times)
      times.push(now)
    }
    rest = text.slice(text.lastIndexOf('\n\n') + 2)
  })
  incoming.on('close', () => {
    ended += 1
  })
}

function summaryOf(posts: readonly PostTimes[], from: (times: PostTimes) => number): Summary {
  const latencies = new Latencies()
  for (const [n, times] of posts.entries()) {
    for (const time of arrivals.get(n) ?? []) latencies.record(time - from(times))
  }
  const { p50, p99, max } = latencies.summary()
  return { p50: p50 ?? 0, p99: p99 ?? 0, max: max ?? 0 }
}

async function openOne(url: string, cookie: string | undefined): Promise<void> {
  const outgoing = request(url, { agent: false, headers: cookie === undefined ? {} : { cookie } })
  outgoing.on('error', () => undefined)
  outgoing.end()
  const [incoming] = await once(outgoing, 'response')
  if (incoming.statusCode !== 200) throw new Error(`a stream was answered with ${incoming.statusCode}`)
  read(incoming)
  open.push(outgoing)
}

handleRequests<ReadersRequest, ReadersReport>(async (order) => {
  if (order.kind === 'open') {
    for (let n = 0; n < order.streams; n += 50) {
      await Promise.all(Array.from({ length: Math.min(50, order.streams - n) }, () => openOne(order.url, order.cookie)))
    }
  }
  const posts = order.kind === 'report' ? order.posts : []
  return {
    open: open.length - ended,
    ended,
    events: [...arrivals.values()].reduce((sum, { length }) => sum + length, 0),
    fromRequest: summaryOf(posts, ({ sentAt }) => sentAt),
    fromAnswer: summaryOf(posts, ({ answeredAt }) => answeredAt),
  }
})
