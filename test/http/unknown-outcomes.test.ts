import Fastify, { type FastifyRequest } from 'fastify'
import { MongoNetworkError, MongoServerError } from 'mongodb'
import t, { type Test } from 'tap'
import {
  AccessRefusedError,
  OutcomeUnknownError,
  OverloadedError,
  TransactionTimeoutError,
} from '../../src/database/failures.ts'
import { enforceDeadlines, withWriteDeadline } from '../../src/http/deadline.ts'
import { answerWithProblems } from '../../src/http/errors.ts'
import { notFound } from '../../src/http/problems.ts'

type Handler = (request: FastifyRequest) => Promise<unknown>
type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

const unsafe = ['POST', 'PUT', 'PATCH', 'DELETE'] as const

/** The answer of a route whose handler is given. */
async function answerOf(
  t: Test,
  handler: Handler,
  { method = 'PUT', howToFindOut, headers }: { method?: Method; howToFindOut?: string; headers?: object } = {},
) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.decorate('databaseUser', {
    noteRefusal: () => false,
    replace: () => Promise.reject(new Error('there is no other user')),
    onReplaced: () => undefined,
  })
  answerWithProblems(app)
  enforceDeadlines(app)
  app.route({ method, url: '/', config: howToFindOut === undefined ? {} : { howToFindOut }, handler })
  const {
    statusCode: status,
    headers: received,
    body,
  } = await app.inject({ method, url: '/', headers: { ...headers } })
  const problem: { code?: string; detail?: string } = body === '' ? {} : JSON.parse(body)
  return { status, code: problem.code, detail: problem.detail, retryAfter: received['retry-after'] }
}

const failing =
  (error: Error): Handler =>
  (request) =>
    withWriteDeadline(request, () => Promise.reject(error))

/** A write that is committed, before something else fails. */
const failingAfterwards =
  (error: Error): Handler =>
  async (request) => {
    await withWriteDeadline(request, async () => {})
    throw error
  }

const lost = () => new MongoNetworkError('lost')

t.test('a write whose commit got no answer: outcome-unknown, without Retry-After', async (t) => {
  for (const method of unsafe) {
    const answer = await answerOf(t, failing(new OutcomeUnknownError('no answer')), { method })
    t.match(answer, { status: 503, code: 'outcome-unknown', retryAfter: undefined }, method)
  }
})

t.test('a read never has an unknown outcome', async (t) => {
  for (const method of ['GET', 'HEAD'] as const) {
    const answer = await answerOf(t, failing(new OutcomeUnknownError('no answer')), { method })
    t.match(answer, { status: 503, retryAfter: '1' }, method)
    t.not(answer.code, 'outcome-unknown')
  }
})

t.test('the detail says how to find out: the route’s sentence, or a general one', async (t) => {
  const handler = failing(new OutcomeUnknownError('no answer'))
  const howToFindOut = 'GET /v1/things/{id} shows which.'
  t.match(await answerOf(t, handler, { howToFindOut }), {
    detail: /happened\. GET \/v1\/things\/\{id\} shows which\.$/,
  })
  t.match(await answerOf(t, handler), { detail: /Read what it was to change before you repeat it\.$/ })
})

t.test('with an Idempotency-Key, outcome-unknown asks for a repeat with the same key', async (t) => {
  const headers = { 'idempotency-key': 'one' }
  const answer = await answerOf(t, failing(new OutcomeUnknownError('no answer')), { method: 'POST', headers })
  t.match(answer, { code: 'outcome-unknown', retryAfter: '1', detail: /Repeat .* same Idempotency-Key\.$/ })
})

t.test('a write that was not committed and never will be: database-unavailable or overloaded', async (t) => {
  const refused = new MongoServerError({ message: 'Authentication failed.', code: 18 })
  for (const error of [new TransactionTimeoutError('late'), lost(), refused, new AccessRefusedError('refused')]) {
    t.match(await answerOf(t, failing(error)), { code: 'database-unavailable', retryAfter: '1' }, error.name)
  }
  t.match(await answerOf(t, failing(new OverloadedError('full'))), { code: 'overloaded', retryAfter: '2' })
})

t.test('a read that fails before the write: database-unavailable', async (t) => {
  t.match(await answerOf(t, async () => Promise.reject(lost())), { code: 'database-unavailable' })
})

t.test('a read that fails after the write was committed: outcome-unknown', async (t) => {
  t.match(await answerOf(t, failingAfterwards(lost())), { code: 'outcome-unknown', retryAfter: undefined })
  t.match(await answerOf(t, failingAfterwards(notFound())), { code: 'not-found' }, 'another error stays what it is')
})

t.test('a second write that is not tried does not make the first one undone', async (t) => {
  const answer = await answerOf(t, async (request) => {
    await withWriteDeadline(request, async () => {})
    await failing(new TransactionTimeoutError('late'))(request)
  })
  t.match(answer, { code: 'outcome-unknown' })
})

t.test(
  'a handler that exceeds its 5 s: outcome-unknown only if a write may have begun',
  { timeout: 60_000 },
  async (t) => {
    const hang = () => new Promise<never>(() => undefined)
    // The deadlines alone keep no process alive.
    const alive = setInterval(() => undefined, 1_000)
    t.teardown(() => clearInterval(alive))
    const [reading, writing, written] = await Promise.all([
      answerOf(t, hang),
      answerOf(t, (request) => withWriteDeadline(request, hang)),
      answerOf(t, async (request) => {
        await withWriteDeadline(request, async () => {})
        await hang()
      }),
    ])
    t.match(reading, { status: 503, code: 'database-unavailable', retryAfter: '1' })
    t.match(writing, { status: 503, code: 'outcome-unknown', retryAfter: undefined })
    t.match(written, { status: 503, code: 'outcome-unknown' })
  },
)

t.test('the deadline of a write begins with its handler, whatever the handler does first', async (t) => {
  const began = performance.now()
  let late = 0
  await answerOf(t, async (request) => {
    const { writeDeadline } = request
    await new Promise((resolve) => setTimeout(resolve, 50))
    await withWriteDeadline(request, async (deadline) => {
      late = deadline - writeDeadline
      t.ok(deadline >= began + 4_500)
    })
  })
  t.equal(late, 0)
})
