import Fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import { pino } from 'pino'
import t from 'tap'
import { OverloadedError, TransactionTimeoutError } from '../../src/database/failures.ts'
import { answerWithProblems } from '../../src/http/errors.ts'
import { overloaded } from '../../src/http/problems.ts'
import { eventually } from '../eventually.ts'

t.test(
  'requests refused with overloaded are logged once a second with their number, and without a stack',
  async (t) => {
    const lines: { level: number; refused?: number; reason?: string }[] = []
    const log: FastifyBaseLogger = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) })
    const app = Fastify({ loggerInstance: log, logController: new LogController({ disableRequestLogging: true }) })
    t.teardown(() => app.close())
    answerWithProblems(app)
    app.get('/queue', async () => {
      throw overloaded('passwords')
    })
    app.get('/writer', async () => {
      throw new OverloadedError('the queue is full')
    })
    for (let n = 0; n < 200; n += 1) t.equal((await app.inject(n % 2 ? '/queue' : '/writer')).statusCode, 503)
    const refused = () => lines.reduce((sum, line) => sum + (line.refused ?? 0), 0)
    await eventually(() => refused() === 200)
    for (const reason of [/^Problem: Too many writes/, /^Problem: Too many password checks/])
      t.match(
        lines.find((line) => line.reason?.match(reason)),
        { reason },
        'each reason has its own line',
      )
    t.ok(lines.length < 50, `${lines.length} lines`)
    t.ok(lines.every(({ level }) => level === 40))
    t.notMatch(JSON.stringify(lines), /stack|\.ts:/)
  },
)

t.test(
  'of 200 requests that fail because of the database, the first is logged with its request, the others with their number',
  async (t) => {
    const lines: { msg: string; reqId?: string; failed?: number; code?: string; reason?: string }[] = []
    const log: FastifyBaseLogger = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) })
    const app = Fastify({ loggerInstance: log, logController: new LogController({ disableRequestLogging: true }) })
    t.teardown(() => app.close())
    answerWithProblems(app)
    const unused = () => Promise.reject(new Error('not replaced in this test'))
    app.decorate('databaseUser', { noteRefusal: () => false, replace: unused, onReplaced: () => undefined })
    let sent = 0
    app.get('/write', async () => {
      sent += 1
      throw new TransactionTimeoutError(`attempt ${sent} of many`)
    })
    for (let n = 0; n < 200; n += 1) t.equal((await app.inject('/write')).statusCode, 503)
    const logged = () => lines.reduce((sum, { failed = 1 }) => sum + failed, 0)
    await eventually(() => logged() === 200)
    t.match(lines[0], {
      msg: 'database unavailable',
      reqId: String,
      code: 'database-unavailable',
      reason: /attempt 1 of/,
    })
    t.ok(
      lines.some(({ failed = 0, reason }) => failed > 0 && /attempt \d+ of/.test(reason ?? '')),
      'the others',
    )
    t.ok(lines.length < 50, `${lines.length} lines`)
  },
)
