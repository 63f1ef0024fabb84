import Fastify, { type FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import t from 'tap'
import { TransactionTimeoutError } from '../../src/database/failures.ts'
import { expectLateFailures } from '../../src/http/late-failures.ts'
import { eventually } from '../eventually.ts'

t.test('a handler that ends after its answer is logged as an error only if it fails unexpectedly', async (t) => {
  const lines: { level: number; msg: string }[] = []
  const log: FastifyBaseLogger = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) })
  const app = Fastify({ loggerInstance: log })
  t.teardown(() => app.close())
  expectLateFailures(app)
  const failures: Record<string, Error> = {
    '/timeout': new TransactionTimeoutError('no commit in time'),
    '/bug': new Error('a bug'),
  }
  for (const [url, failure] of Object.entries(failures)) {
    app.get(url, async (_, reply) => {
      reply.code(503).send('too late')
      throw failure
    })
  }
  app.get('/early', async () => {
    throw new Error('before the answer')
  })
  app.get('/success', async (_, reply) => {
    reply.code(503).send('too late')
    return 'the result'
  })
  lines.length = 0
  t.equal((await app.inject('/success')).body, 'too late')
  await new Promise(setImmediate)
  t.notOk(
    lines.some(({ msg }) => msg.startsWith('Reply was already sent')),
    'a late success is no warning',
  )
  const levelOf = async (url: string) => {
    lines.length = 0
    t.equal((await app.inject(url)).statusCode, url === '/early' ? 500 : 503)
    await eventually(() =>
      lines.some(({ msg }) => msg === 'request failed after its answer' || msg === 'before the answer'),
    )
    t.notOk(lines.some(({ msg }) => msg.startsWith('Promise errored')))
    return lines.find(({ msg }) => msg === 'request failed after its answer')?.level
  }
  t.equal(await levelOf('/timeout'), 20, 'debug')
  t.equal(await levelOf('/bug'), 50, 'error')
  t.equal(await levelOf('/early'), undefined, 'a failure before the answer is Fastify’s')
})
