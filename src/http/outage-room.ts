import { randomInt } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerWatch } from '../database/answer-watch.ts'
import { newId } from '../database/ids.ts'
import { clientCounts } from './client-counts.ts'
import { countPerSecond } from './count-per-second.ts'
import type { Handler } from './pipelining.ts'
import { databaseUnavailable, problemType } from './problems.ts'
import { whenComplete } from './when-complete.ts'

/** A failover takes a few seconds: so many requests wait for the new primary. */
const defaultMaxWaiting = 500
/** The clients of an outage come back at different times. */
const retryAfterSeconds = [1, 2, 3, 4, 5]
/** Of one address, and of one network: others must find room. */
const shares = { address: 0.5, network: 0.75 }

type Client = { address: string; network: string }

type Options = {
  /** Those of every response. */
  headers: Readonly<Record<string, string>>
  /** Whose a request is; undefined when the client has left. */
  clientOf: (request: IncomingMessage) => Client | undefined
  ping: () => Promise<unknown>
  onRefused: (refused: number) => void
  maxWaiting?: number
}

/**
 * Whether a request may wait for the database: health checks must never be refused. The router also takes a URL with its
 * host, and one with percent-encoding, which no other path of ours has.
 */
const mayWait = (url = '') => url.startsWith('/v1/') || !url.startsWith('/') || url.includes('%')

/** Of the pulse, a stream, or a logout without a session, a success says nothing of the database. */
const asksDatabase = (url = '') => /^\/v1\/(posts|accounts?|timeline)\b/.test(url)

const isAnswerOfDatabase = ({ req, statusCode, writableFinished }: ServerResponse) =>
  writableFinished && statusCode < 300 && asksDatabase(req.url)

/**
 * While the database does not answer, only `maxWaiting` requests wait for it, until their deadline, and of one address or
 * network a share of them. Each further one is refused within 50 ms, before Fastify sees it: in an outage most of the
 * requests are refused, and often. A request counts once its body is there.
 */
export function outageRoom({ headers, clientOf, ping, onRefused, maxWaiting = defaultMaxWaiting }: Options) {
  const database = answerWatch(ping)
  const refuse = refusal(headers)
  const report = countPerSecond(onRefused)
  const waiting = new Map<ServerResponse, Client>()
  const counts = clientCounts()

  function leave(response: ServerResponse): boolean {
    const client = waiting.get(response)
    if (client) counts.remove(client)
    return waiting.delete(response)
  }

  const isFullFor = ({ address, network }: Client): boolean =>
    waiting.size >= maxWaiting ||
    counts.of(address) >= maxWaiting * shares.address ||
    counts.of(network) >= maxWaiting * shares.network

  /** A stream that has begun waits no more. */
  function isFull(client: Client): boolean {
    if (!isFullFor(client)) return false
    for (const response of waiting.keys()) if (response.headersSent) leave(response)
    return isFullFor(client)
  }

  function admit(client: Client, response: ServerResponse): void {
    if (response.closed || response.headersSent) return
    waiting.set(response, client)
    counts.add(client)
    response.once('close', () => {
      if (leave(response) && isAnswerOfDatabase(response)) database.noteAnswer()
    })
  }

  return (handle: Handler): Handler => {
    return (request, response) => {
      const client = mayWait(request.url) ? clientOf(request) : undefined
      if (!client) return handle(request, response)
      const decide = (isAnswering: boolean): void => {
        // The client has left before the verdict.
        if (response.closed) return
        if (isAnswering) {
          whenComplete(request, () => admit(client, response))
          handle(request, response)
        } else {
          refuse(response)
          report()
        }
      }
      const isAnswering = isFull(client) ? database.isAnswering() : true
      if (typeof isAnswering === 'boolean') decide(isAnswering)
      else void isAnswering.then(decide)
    }
  }
}

function refusal(headers: Options['headers']) {
  const answers = retryAfterSeconds.map((seconds) => {
    const problem = databaseUnavailable(undefined, seconds)
    const all = { ...headers, ...problem.headers, 'cache-control': 'no-store', 'content-type': problemType }
    return { problem, fixed: Object.entries(all).flat() }
  })
  return (response: ServerResponse): void => {
    const answer = answers[randomInt(answers.length)]
    if (!answer) return
    const id = newId()
    const body = JSON.stringify(answer.problem.body(id))
    const own = ['x-request-id', id, 'content-length', String(body.length)]
    response.writeHead(answer.problem.status, [...answer.fixed, ...own]).end(body)
  }
}
