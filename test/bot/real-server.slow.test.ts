import t, { type Test } from 'tap'
import { isSuccess } from '../../bot/report/verdict.ts'
import { testServer } from '../helper.ts'
import { runAgainst } from './run-crowd.ts'

const patient = { totalMs: 30_000, attemptTimeoutMs: 20_000 }

t.test('Secure cookies are sent over http on loopback, as in a browser', { timeout: 300_000 }, async (t) => {
  const { url } = await testServer(t, { COOKIE_SECURE: 'true' })
  const { findings, stats } = await runAgainst(url, { users: 2, ...patient })
  t.ok(isSuccess(findings, stats.failures()))
})

/** Runs a crowd whose final reading finds other data than the robots wrote. */
async function falsified(t: Test, falsify: (db: Awaited<ReturnType<typeof testServer>>['db']) => Promise<unknown>) {
  const { url, db } = await testServer(t)
  let done: Promise<unknown> | undefined
  const { findings } = await runAgainst(url, {
    ...{ users: 2, posts: 2, reactions: 6, ...patient },
    onPhase: (name) => {
      if (name === 'verify') done = falsify(db)
    },
  })
  await done
  return findings.findings.map(({ rule, object }) => `${rule} ${object}`)
}

t.test('a text, a count or reactions that change in the database are found', { timeout: 300_000 }, async (t) => {
  t.match(await falsified(t, (db) => db.collection('posts').updateMany({}, { $set: { text: '0. as it is' } })), [
    /^R text:/,
  ])
  t.match(await falsified(t, (db) => db.collection('posts').updateMany({}, { $inc: { 'counts.likes': 7 } })), [
    /^C likes:/,
  ])
  const lost = await falsified(t, (db) => db.collection('reactions').deleteMany({}))
  t.ok(lost.some((line) => line.startsWith('S reactions:')))
})
