import { setTimeout as delay } from 'node:timers/promises'
import { Registry } from 'prom-client'
import t from 'tap'
import { measureReadiness, type ReadinessCheck, readinessChecks } from '../../src/operations/readiness.ts'
import { testServer } from '../helper.ts'
import { ask, expectProblem, field } from '../http/wire.ts'

const check = (name: string, isReady: ReadinessCheck['isReady']): ReadinessCheck => ({
  name,
  fault: `${name} is wrong`,
  code: 'overloaded',
  isReady,
})

t.test('a check that throws, or does not answer within 2 s, has failed; the others keep their result', async (t) => {
  const readiness = readinessChecks()
  const cause = new Error('the reason')
  readiness.add(
    check('good', () => true),
    check('bad', async () => false),
    check('broken', () => {
      throw cause
    }),
    check('silent', () => new Promise(() => undefined)),
  )
  const from = performance.now()
  const results = await readiness.run()
  t.ok(performance.now() - from >= 1_900)
  t.match(results, [
    { name: 'good', isReady: true },
    { name: 'bad', isReady: false },
    { name: 'broken', isReady: false, cause },
    { name: 'silent', isReady: false },
  ])
})

t.test('requests at the same time share one run of the checks, and a later one gets its own', async (t) => {
  const readiness = readinessChecks()
  let runs = 0
  const count = async () => {
    runs += 1
    await delay(50)
    return true
  }
  readiness.add(check('counted', count))
  await Promise.all(Array.from({ length: 100 }, () => readiness.run()))
  t.equal(runs, 1)
  await readiness.run()
  t.equal(runs, 2)
})

t.test('rookery_ready has a value for each check', async (t) => {
  const registry = new Registry()
  const readiness = readinessChecks()
  readiness.add(
    check('good', () => true),
    check('bad', () => false),
  )
  measureReadiness(registry, readiness)
  t.match(await registry.metrics(), /rookery_ready\{check="good"\} 1\nrookery_ready\{check="bad"\} 0/)
})

t.test(
  'a 503 says in general terms what is not ready; the database and liveness are judged on their own',
  async (t) => {
    const { app, port } = await testServer(t)
    if (!app) return
    let isReady = false
    app.readiness.add(
      check('clock', () => isReady),
      check('disk', () => isReady),
    )
    const answer = await ask(port, 'GET', '/health/ready')
    expectProblem(t, answer, 'overloaded')
    t.equal(field(answer.body, 'detail'), 'The server is not ready: clock is wrong; disk is wrong.')
    t.equal(answer.headers['retry-after'], '1')
    for (const path of ['/health/database', '/health/live']) t.equal((await ask(port, 'GET', path)).status, 200, path)
    isReady = true
    t.match(await ask(port, 'GET', '/health/ready'), { status: 200, body: { status: 'ok' } })
  },
)
