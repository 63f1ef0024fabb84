import Fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import { pino } from 'pino'
import t from 'tap'
import { OverloadedError } from '../../src/database/failures.ts'
import { answerWithProblems } from '../../src/http/errors.ts'
import { databaseUnavailable, overloaded } from '../../src/http/problems.ts'
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
  'requests that the database failed are logged once a second with their number and the latest reason',
  async (t) => {
    const lines: { code?: string; requests?: number; reason?: string }[] = []
    const log: FastifyBaseLogger = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) })
    const app = Fastify({ loggerInstance: log, logController: new LogController({ disableRequestLogging: true }) })
    t.teardown(() => app.close())
    app.decorate('databaseUser', {
      noteRefusal: () => false,
      replace: async () => ({ outcome: 'unchanged' }),
      onReplaced: () => undefined,
    })
    answerWithProblems(app)
    let failures = 0
    app.get('/', async () => {
      failures += 1
      throw databaseUnavailable(new Error(`socket ${failures} closed`))
    })
    for (let n = 0; n < 200; n += 1) t.equal((await app.inject('/')).statusCode, 503)
    const logged = () => lines.reduce((sum, { requests = 0 }) => sum + requests, 0)
    await eventually(() => logged() === 200)
    t.ok(lines.length < 50, `${lines.length} lines`)
    t.match(lines.at(-1), { code: 'database-unavailable', reason: 'Error: socket 200 closed' })
  },
)
