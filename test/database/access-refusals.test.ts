import { MongoNetworkError, MongoServerError } from 'mongodb'
import { pino } from 'pino'
import t from 'tap'
import { accessRefusals } from '../../src/database/access-refusals.ts'
import { AccessRefusedError, isAccessRefused } from '../../src/database/failures.ts'

const serverError = (code: number, labels: string[] = []) => {
  const error = new MongoServerError({ message: 'not authorized to execute { find: "canary" }', code })
  for (const label of labels) error.addErrorLabel(label)
  return error
}

t.test('a refused user is told from other failures', async (t) => {
  const cleared = new MongoNetworkError('the pool was cleared', { cause: serverError(18) })
  for (const error of [serverError(13), serverError(18), serverError(8_000, ['HandshakeError']), cleared]) {
    t.ok(isAccessRefused(error), String(error))
  }
  t.ok(isAccessRefused(new AccessRefusedError('in the writer')))
  const others = [serverError(112), serverError(8_000), new MongoNetworkError('reset'), new Error('no'), undefined]
  for (const error of others) t.notOk(isAccessRefused(error), String(error))
})

t.test('100 refusals in a row: one log line, without the refused command, and 100 calls', async (t) => {
  const lines: string[] = []
  let calls = 0
  const noteRefusal = accessRefusals(pino({}, { write: (line) => void lines.push(line) }), () => {
    calls += 1
  })
  let nowMs = 50_000
  t.capture(performance, 'now', () => nowMs)
  for (let n = 0; n < 100; n += 1) t.equal(noteRefusal(serverError(13)), true)
  t.equal(noteRefusal(serverError(112)), false)
  t.same([lines.length, calls], [1, 100])
  t.match(JSON.parse(lines[0] ?? ''), { msg: 'database refused the user', mongodbCode: 13 })
  t.notMatch(lines[0], /canary/)
  nowMs += 10_000
  noteRefusal(serverError(18))
  t.equal(lines.length, 2, 'another one after 10 s')
})
