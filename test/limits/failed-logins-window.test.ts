import { pino } from 'pino'
import t from 'tap'
import { type Attempt, loginThrottle } from '../../src/limits/login-throttle.ts'
import { slidingWindow } from '../../src/limits/sliding-window.ts'
import { password, testServer } from '../helper.ts'
import { cookieOf } from '../http/wire.ts'
import { clocks } from '../sessions/clocks.ts'
import { age, counted, isLimited, statuses, tryOften, tryOnce } from './login-attempts.ts'

const pair = 'failed-logins-by-account-and-address'

t.test('the 15 minutes of failed logins', async (t) => {
  const { port, db } = await testServer(t)

  t.test('the 15 minutes slide', async (t) => {
    await cookieOf(port, 'Ann')
    await tryOften(port, 'ann', 6)
    await age(db, 600)
    t.same(statuses(await tryOften(port, 'ann', 6)), { 401: 4, 429: 2 }, 'ten minutes later six still count')
    const limited = await tryOnce(port, 'ann', { password })
    isLimited(t, limited, pair, 10)
    const seconds = Number(limited.headers['retry-after'])
    t.ok(seconds > 200 && seconds <= 300, `the first is free in five minutes, not in ${seconds} s`)
    await age(db, seconds)
    t.same(statuses(await tryOften(port, 'ann', 9)), { 401: 6, 429: 3 }, 'then the six, and no more')
    await age(db, 700)
    t.same(statuses(await tryOften(port, 'ann', 7)), { 401: 4, 429: 3 }, 'four came five minutes before those six')
    await age(db, 900)
    t.same(statuses(await tryOften(port, 'ann', 12)), { 401: 10, 429: 2 })
    t.equal(await counted(db, pair), 10, 'what is too old is not kept either')
    await age(db, 900)
    t.equal((await tryOnce(port, 'ann', { password })).status, 200)
  })

  t.test('MongoDB forgets what no longer counts', async (t) => {
    await db.collection('attempts').deleteMany({})
    const before = Date.now()
    await tryOnce(port, 'ann')
    for (const { until } of await db.collection('attempts').find().toArray()) {
      t.ok(until.getTime() > before + 890_000, 'not while it counts')
    }
    t.match(
      (await db.collection('attempts').indexes()).find(({ key }) => 'until' in key),
      { key: { until: 1 }, expireAfterSeconds: 60 },
    )
  })

  t.test('never more than so many in any 15 minutes, whenever they come', async (t) => {
    const quotas = { pair: 3, address: 100, network: 100, account: 100, device: 100 }
    const logins = loginThrottle(slidingWindow(db, pino({ level: 'silent' })), quotas, 'a secret')
    const attempt: Attempt = { username: 'ann', ip: '203.0.113.1', device: undefined }
    const take = async () => {
      await logins.check(attempt)
      await logins.acquire(attempt)
    }
    let passed: number[] = []
    let now = 0
    let refused = 0
    for (let step = 0; step < 80; step += 1) {
      // Uneven steps that repeat at no 15 minutes: 0 to 590 seconds.
      const pause = (((step * step + 7 * step) % 60) * 10) % 600
      await age(db, pause)
      now += pause
      passed = passed.filter((at) => at > now - 900)
      const free = passed.length < 3
      const outcome = await take().then(
        () => 'taken',
        ({ code }) => code,
      )
      if (outcome !== (free ? 'taken' : 'rate-limited')) t.fail(`${outcome} at ${now} s after ${passed}`)
      if (free) passed.push(now)
      else refused += 1
    }
    t.ok(refused > 10 && refused < 70, `${refused} of 80 were refused`)
  })

  t.test('they go by one clock, the database’s', async (t) => {
    await db.collection('attempts').deleteMany({})
    const clock = clocks(t)
    await tryOften(port, 'ann', 10)
    for (const ahead of [-60_000, 960_000]) {
      clock.forward(ahead)
      isLimited(t, await tryOnce(port, 'ann', { password }), pair, 10)
      clock.forward(-ahead)
    }
  })
})
