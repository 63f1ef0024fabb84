import { availableParallelism } from 'node:os'
import { mock } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { passwordQueue } from '../../src/credentials/password-queue.ts'
import { passwordService } from '../../src/credentials/password-service.ts'

/** Tasks that a test ends, and the order in which they began. */
function tasks() {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const make = (name: string) => () => {
    begun.push(name)
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)))
  }
  const end = async (name: string) => {
    ends.get(name)?.()
    await setImmediate()
  }
  return { begun, make, end }
}

const ticket = { signal: new AbortController().signal, key: '192.0.2.1', groups: ['192.0.2.0/24'] }

t.test('with 2 slots, 2 of 5 tasks run at a time and the others follow in order', async (t) => {
  const queue = passwordQueue({ maxRunning: 2, maxWaiting: 3 })
  const { begun, make, end } = tasks()
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => queue(make(name), ticket))
  await setImmediate()
  t.same(begun, ['a', 'b'])
  await end('b')
  t.same(begun, ['a', 'b', 'c'])
  await end('c')
  await end('a')
  t.same(begun, ['a', 'b', 'c', 'd', 'e'])
  await end('d')
  await end('e')
  t.same(await Promise.all(all), ['a', 'b', 'c', 'd', 'e'], 'each resolves with its own result')
})

t.test('a task beyond the limit gets 503 at once; when the queue has emptied, tasks are accepted again', async (t) => {
  const queue = passwordQueue({ maxRunning: 1, maxWaiting: 1 })
  const { begun, make, end } = tasks()
  const first = queue(make('a'), ticket)
  const second = queue(make('b'), ticket)
  await t.rejects(queue(make('c'), ticket), { code: 'overloaded', status: 503, headers: { 'retry-after': /^\d+$/ } })
  await end('a')
  await end('b')
  await Promise.all([first, second])
  const third = queue(make('d'), ticket)
  await setImmediate()
  await end('d')
  t.equal(await third, 'd')
  t.same(begun, ['a', 'b', 'd'], 'a refused task never runs')
})

t.test('addresses take turns: tasks of a busy address neither delay nor exclude others', async (t) => {
  const queue = passwordQueue({ maxRunning: 1, maxWaiting: 4 })
  const { begun, make, end } = tasks()
  const submit = (name: string, key: string) => queue(make(name), { ...ticket, key })
  const served = [submit('a1', 'a'), submit('a2', 'a'), submit('a3', 'a')]
  // Evicted for other addresses: this one has the most waiting tasks.
  const evicted = ['a4', 'a5'].map((name) => t.rejects(submit(name, 'a'), { code: 'overloaded' }))
  served.push(submit('b1', 'b'), submit('c1', 'c'))
  await Promise.all(evicted)
  for (const name of ['a1', 'a2', 'b1', 'c1', 'a3']) await end(name)
  t.same(begun, ['a1', 'a2', 'b1', 'c1', 'a3'], 'one task of each address at a time')
  t.same(await Promise.all(served), ['a1', 'a2', 'a3', 'b1', 'c1'])
})

t.test('a failing task frees its slot', async (t) => {
  const queue = passwordQueue({ maxRunning: 1, maxWaiting: 5 })
  const failing = queue(() => Promise.reject(new Error('no')), ticket)
  const throwing = queue(() => {
    throw new Error('worse')
  }, ticket)
  const last = queue(async () => 'done', ticket)
  await t.rejects(failing, { message: 'no' })
  await t.rejects(throwing, { message: 'worse' })
  t.equal(await last, 'done')
})

t.test(
  'a client that disconnects while waiting leaves the queue: its task never runs, and one place is free',
  async (t) => {
    const queue = passwordQueue({ maxRunning: 1, maxWaiting: 2 })
    const { begun, make, end } = tasks()
    const controller = new AbortController()
    const running = queue(make('a'), ticket)
    const left = queue(make('b'), { ...ticket, signal: controller.signal })
    const stayed = queue(make('c'), ticket)
    const gone = t.rejects(left, { message: 'left' })
    controller.abort(new Error('left'))
    await gone
    const next = queue(make('d'), ticket)
    await t.rejects(queue(make('e'), ticket), { code: 'overloaded' }, 'exactly one place was freed')
    for (const name of ['a', 'c', 'd']) await end(name)
    await Promise.all([running, stayed, next])
    t.same(begun, ['a', 'c', 'd'])
    await t.rejects(
      queue(make('f'), { ...ticket, signal: controller.signal }),
      { message: 'left' },
      'an aborted ticket is not queued',
    )
    t.notOk(begun.includes('f'))
  },
)

t.test('a client that disconnects while its task runs keeps the slot until the end, and gets no result', async (t) => {
  const queue = passwordQueue({ maxRunning: 1, maxWaiting: 5 })
  const { begun, make, end } = tasks()
  const controller = new AbortController()
  const left = t.rejects(queue(make('a'), { ...ticket, signal: controller.signal }), { message: 'left' })
  const next = queue(make('b'), ticket)
  await setImmediate()
  controller.abort(new Error('left'))
  await setImmediate()
  t.same(begun, ['a'], 'no other task runs in its slot')
  await end('a')
  t.same(begun, ['a', 'b'])
  await end('b')
  await Promise.all([left, next])
})

t.test(
  '256 verifications at once of one address all have their turn; 1,000 wait; unknown names included',
  async (t) => {
    const { verify } = passwordService({ cost: 4, peppers: [], processes: 1 })
    const check = () => verify('three blind mice', 'a', undefined, ticket)
    const results = await Promise.all(Array.from({ length: 256 }, check))
    t.same(new Set(results.map(({ matches }) => matches)), new Set([false]), 'none matches')
    const full = Array.from({ length: Math.min(availableParallelism(), 3) + 1_000 }, check)
    await t.rejects(check(), { code: 'overloaded', headers: { 'retry-after': /^\d+$/ } })
    await Promise.all(full)
  },
)

t.test('a verification waits 15 s for its turn', async (t) => {
  // Slow enough that all slots are taken for a while.
  const { verify } = passwordService({ cost: 13, peppers: [], processes: 1 })
  const check = () => verify('three blind mice', 'a', undefined, ticket)
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const running = Array.from({ length: Math.min(availableParallelism(), 3) }, check)
  const late = check().then(
    () => 'verified',
    ({ code }) => code,
  )
  mock.timers.tick(14_999)
  t.equal(await Promise.race([late, setImmediate('waiting')]), 'waiting')
  mock.timers.tick(1)
  t.equal(await late, 'overloaded')
  await Promise.all(running)
})
