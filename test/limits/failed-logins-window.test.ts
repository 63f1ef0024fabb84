import { pino } from 'pino'
import t from 'tap'
import type { Attempt } from '../../src/limits/login-counters.ts'
import { loginThrottle } from '../../src/limits/login-throttle.ts'
import { slidingWindow } from '../../src/limits/sliding-window.ts'
import { password, testServer } from '../helper.ts'
import { cookieOf } from '../http/wire.ts'
import { clocks } from '../sessions/clocks.ts'
import {
  ageAttempts,
  attemptLogin,
  attemptLogins,
  countAttempts,
  countStatuses,
  expectLimited,
  forgetRefusals,
} from './login-attempts.ts'

const pair = 'failed-logins-by-account-and-address'

t.test('the window of failed logins', async (t) => {
  const { port, db } = await testServer(t)

  t.test('the 15-minute window slides: each attempt expires alone', async (t) => {
    await cookieOf(port, 'Ann')
    await attemptLogins(port, 'ann', 6)
    await ageAttempts(db, 600)
    t.same(
      countStatuses(await attemptLogins(port, 'ann', 5)),
      { 401: 4, 429: 1 },
      'ten minutes later the first six still count',
    )
    const limited = await attemptLogin(port, 'ann', { password })
    expectLimited(t, limited, pair, 10)
    const seconds = Number(limited.headers['retry-after'])
    t.ok(seconds > 200 && seconds <= 300, `the first expires in five minutes; Retry-After is ${seconds} s`)
    await ageAttempts(db, seconds + 20)
    t.same(
      countStatuses(await attemptLogins(port, 'ann', 7)),
      { 401: 6, 429: 1 },
      'then exactly those six have expired',
    )
    await ageAttempts(db, 700)
    t.same(
      countStatuses(await attemptLogins(port, 'ann', 5)),
      { 401: 4, 429: 1 },
      'then exactly the next four have expired',
    )
    await ageAttempts(db, 900)
    // Five refusals within a second would be remembered for the rest of it.
    await forgetRefusals()
    t.same(countStatuses(await attemptLogins(port, 'ann', 12)), { 401: 10, 429: 2 })
    t.equal(await countAttempts(db, pair), 10, 'expired attempts are not stored either')
    await ageAttempts(db, 900)
    t.equal((await attemptLogin(port, 'ann', { password })).status, 200)
  })

  t.test('MongoDB deletes expired counters by a TTL index, and none that still counts', async (t) => {
    await db.collection('attempts').deleteMany({})
    const before = Date.now()
    await attemptLogin(port, 'ann')
    for (const { until } of await db.collection('attempts').find().toArray()) {
      t.ok(until.getTime() > before + 890_000, 'not before it expires')
    }
    t.match(
      (await db.collection('attempts').indexes()).find(({ key }) => 'until' in key),
      { key: { until: 1 }, expireAfterSeconds: 60 },
    )
  })

  t.test('no 15 minutes contain more attempts than the quota, at any spacing', async (t) => {
    const many = { address: 100, network: 100, account: 100, device: 100, accountAndNetwork: 100, inARow: 100 }
    const quotas = { pair: 3, ...many }
    let now = 0
    const attempts = slidingWindow(db, pino({ level: 'silent' }), () => now * 1_000)
    const logins = loginThrottle(attempts, quotas, 'a secret')
    const attempt: Attempt = {
      username: 'ann',
      account: 'the id of ann',
      ip: '203.0.113.1',
      device: undefined,
    }
    const attemptOnce = async () => {
      await logins.check(attempt)
      await logins.acquire(attempt)
    }
    let passed: number[] = []
    let refused = 0
    for (let step = 0; step < 80; step += 1) {
      // 0 to 590 seconds, with no period of 15 minutes.
      const pauseSeconds = (((step * step + 7 * step) % 60) * 10) % 600
      await ageAttempts(db, pauseSeconds)
      now += pauseSeconds
      passed = passed.filter((at) => at > now - 900)
      const isFree = passed.length < 3
      const outcome = await attemptOnce().then(
        () => 'consumed',
        ({ code }) => code,
      )
      if (outcome !== (isFree ? 'consumed' : 'rate-limited')) t.fail(`${outcome} at ${now} s after ${passed}`)
      if (isFree) passed.push(now)
      else refused += 1
    }
    t.ok(refused > 10 && refused < 70, `${refused} of 80 were refused`)
  })

  t.test('the window follows the database’s clock, not the process’s', async (t) => {
    await db.collection('attempts').deleteMany({})
    const clock = clocks(t)
    await attemptLogins(port, 'ann', 10)
    for (const offsetMs of [-60_000, 960_000]) {
      clock.forward(offsetMs)
      expectLimited(t, await attemptLogin(port, 'ann', { password }), pair, 10)
      clock.forward(-offsetMs)
    }
  })
})
