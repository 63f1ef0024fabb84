import { randomInt } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerWatch } from '../database/answer-watch.ts'
import { newId } from '../database/ids.ts'
import { countPerSecond } from './count-per-second.ts'
import type { Handler } from './pipelining.ts'
import { databaseUnavailable, problemType } from './problems.ts'

/** A failover takes a few seconds: so many requests wait for the new primary. */
const defaultMaxWaiting = 500
/** The clients of an outage come back at different times. */
const retryAfterSeconds = [1, 2, 3, 4, 5]
/** Requests below it may wait for the database; health checks must never be refused. */
const databasePath = '/v1/'

type Options = {
  /** Those of every response. */
  headers: Readonly<Record<string, string>>
  ping: () => Promise<unknown>
  onRefused: (refused: number) => void
  maxWaiting?: number
}

/**
 * While the database does not answer, only `maxWaiting` requests wait for it, until their deadline. Each further one is
 * refused within 50 ms. This happens before Fastify sees it: in an outage most of the requests are refused, and often.
 */
export function outageRoom({ headers, ping, onRefused, maxWaiting = defaultMaxWaiting }: Options) {
  const database = answerWatch(ping)
  const refuse = refusal(headers)
  const report = countPerSecond(onRefused)
  const waiting = new Set<ServerResponse>()

  /** A stream that has begun waits no more. */
  function isFull(): boolean {
    if (waiting.size < maxWaiting) return false
    for (const response of waiting) if (response.headersSent) waiting.delete(response)
    return waiting.size >= maxWaiting
  }

  function admit(response: ServerResponse): void {
    waiting.add(response)
    response.once('close', () => {
      if (waiting.delete(response) && response.writableFinished && response.statusCode < 300) database.noteAnswer()
    })
  }

  return (handle: Handler): Handler => {
    function decide(isAnswering: boolean, request: IncomingMessage, response: ServerResponse): void {
      // The client has left before the verdict.
      if (response.closed) return
      if (isAnswering) {
        admit(response)
        handle(request, response)
      } else {
        refuse(response)
        report()
      }
    }
    return (request, response) => {
      if (!request.url?.startsWith(databasePath)) return handle(request, response)
      const isAnswering = isFull() ? database.isAnswering() : true
      if (typeof isAnswering === 'boolean') decide(isAnswering, request, response)
      else void isAnswering.then((answers) => decide(answers, request, response))
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
