import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { keyedMutex } from '../../src/database/keyed-mutex.ts'

t.test('tasks of one key run one after another, tasks of different keys concurrently', async (t) => {
  const run = keyedMutex()
  const steps: string[] = []
  const work = (name: string) => async () => {
    steps.push(`${name} begins`)
    await setImmediate()
    steps.push(`${name} ends`)
    return name
  }
  t.same(await Promise.all([run('x', work('a')), run('x', work('b')), run('y', work('c'))]), ['a', 'b', 'c'])
  t.same(
    steps.filter((step) => !step.startsWith('c')),
    ['a begins', 'a ends', 'b begins', 'b ends'],
  )
  t.ok(steps.indexOf('c begins') < steps.indexOf('b begins'), 'another key does not wait')
})

t.test('a failing task rejects for its caller only, and the next task of the key runs', async (t) => {
  const run = keyedMutex()
  const failing = run('x', async () => {
    throw new Error('no')
  })
  const next = run('x', async () => 'yes')
  await t.rejects(failing, { message: 'no' })
  t.equal(await next, 'yes')
  t.equal(await run('x', async () => 'later'), 'later')
})
