import t from 'tap'
import { CookieJar } from 'tough-cookie'
import { openClients } from '../../bot/client.ts'
import { identity, newRun } from '../../bot/content.ts'
import { forecast, limitOf } from '../../bot/limits/forecast.ts'
import { LimitWatch } from '../../bot/limits/limit-watch.ts'
import { plannedLoad } from '../../bot/limits/planned-load.ts'
import { readLimits } from '../../src/limits/config.ts'
import { testServer } from '../helper.ts'
import { createRunContext } from './run-crowd.ts'

const size = { users: 30, posts: 200, replies: 0, follows: 0, reactions: 900, deletions: 0 }
const load = { signUps: 25, logins: 4, changes: { ofAccount: 50, ofAll: 900 }, reads: { ofAccount: 500, ofAll: 5_000 } }
const limit = { name: 'signups', quota: 20, windowSeconds: 900, remaining: 18, resetSeconds: 300 }

t.test('a limit that is enough is not mentioned; of another, what to set and how long it would take', async (t) => {
  t.strictSame(forecast(load, { ...limit, quota: 1_000, remaining: 1_000 }), [])
  t.strictSame(forecast({ ...load, signUps: 19 }, limit), [], 'the answer itself counts')
  t.match(forecast(load, limit), [
    /^Sign-ups: 25 are planned, .* an address 20 in 15 minutes, of which 18 are left\. Set LIMIT_SIGNUPS_PER_ADDRESS to 25 or more; .* wait 5 minutes\.$/,
  ])
  t.match(forecast({ ...load, signUps: 60 }, limit), [/wait 35 minutes\.$/], 'two windows more')
  t.match(forecast(load, { ...limit, name: 'writes', quota: 500, remaining: 500 }), [/^From this address, 900 changes/])
  t.strictSame(forecast(load, { ...limit, name: 'another' }), [])
  t.equal(limitOf({ 'ratelimit-policy': 'odd', ratelimit: '"a";r=1;t=2' }), null)
})

t.test('the planned load is counted from the days of the robots, or from time and rate', async (t) => {
  const counted = plannedLoad({ seed: 1, size })
  t.match(counted, { signUps: 30 })
  t.ok(counted.changes.ofAccount >= 1_100 && counted.changes.ofAll >= 30 * 1_100)
  t.match(plannedLoad({ seed: 1, size, forMs: 3_600_000, ratePerSecond: 100 }).changes, {
    ofAll: 18_000,
    ofAccount: 4_506,
  })
  t.match(plannedLoad({ seed: 1, size, forMs: 60_000 }).changes, { ofAccount: 451, ofAll: 1_800 })
})

t.test(
  'with the limits of production, a run hears beforehand what it will meet, and the question costs nothing',
  async (t) => {
    const { signupsPerAddress, writesPerAccount } = readLimits({}, true)
    const { url } = await testServer(t, {
      LIMIT_SIGNUPS_PER_ADDRESS: String(signupsPerAddress),
      LIMIT_WRITES_PER_ACCOUNT: String(writesPerAccount),
    })
    const said: string[] = []
    const limits = new LimitWatch(plannedLoad({ seed: 1, size }), (sentence) => said.push(sentence))
    for (let n = 0; n < 3; n += 1) await limits.ask(new URL(url))
    t.match(said, [
      /^Sign-ups: 30 are planned, .* 20 in 15 minutes, of which 19 are left\. Set LIMIT_SIGNUPS_PER_ADDRESS to 30 /,
    ])
    const { context } = createRunContext(url, { totalMs: 60_000, attemptTimeoutMs: 60_000 })
    const client = openClients({ ...context, limits })(0, new CookieJar())
    const { index: _, ...body } = identity(1, 0, newRun())
    await client.send({ action: 'sign up', method: 'POST', path: '/v1/accounts', body })
    await client.send({ action: 'post', method: 'POST', path: '/v1/posts', body: { text: 'Hello' } })
    t.match(said.slice(1), [
      /^Changes by one robot: 1,1\d\d are planned, .* an account 1,000 .* 999 are left\. Set LIMIT_WRITES_PER_ACCOUNT to 11\d\d /,
      /LIMIT_WRITES_PER_ADDRESS and LIMIT_LOGINS_PER_ADDRESS, and the same of the network, must allow them\.$/,
    ])
    t.strictSame(limits.sentences, said)
  },
)
