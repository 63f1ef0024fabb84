import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { keyedMutex } from '../../src/database/keyed-mutex.ts'

t.test('work of one key runs one after the other, of several at once', async (t) => {
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

t.test('what fails is told to its own, and the next goes on', async (t) => {
  const run = keyedMutex()
  const failing = run('x', async () => {
    throw new Error('no')
  })
  const next = run('x', async () => 'yes')
  await t.rejects(failing, { message: 'no' })
  t.equal(await next, 'yes')
  t.equal(await run('x', async () => 'later'), 'later')
})
