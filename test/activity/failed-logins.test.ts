import { pino } from 'pino'
import t from 'tap'
import { failedLogins } from '../../src/activity/failed-logins.ts'
import { OverloadedError, TransactionTimeoutError } from '../../src/database/failures.ts'
import { newId } from '../../src/database/ids.ts'
import { unauthenticated } from '../../src/http/problems.ts'
import { freshDatabase } from '../helper.ts'

const log = pino({ level: 'silent' })
const client = { ip: '192.0.2.1', userAgent: 'owl/1.0' }
const noMail = async () => {}

t.test('a failed login does not wait for a busy writer, and its record is still written', async (t) => {
  const { db } = await freshDatabase(t)
  const { promise, resolve } = Promise.withResolvers<{ outcome: 'recorded' }>()
  await failedLogins(db, { recordFailure: () => promise }, log, noMail).record(newId(), client)
  t.pass('it is answered before the writer has answered')
  resolve({ outcome: 'recorded' })
})

t.test('a record that the writer refuses or fails to write changes nothing for the login', async (t) => {
  const { db } = await freshDatabase(t)
  for (const error of [unauthenticated(), new OverloadedError('busy'), new TransactionTimeoutError('late')]) {
    const failing = failedLogins(db, { recordFailure: () => Promise.reject(error) }, log, noMail)
    await t.resolves(failing.record(newId(), client), error.message)
  }
})
