import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { hashQueue } from '../../src/credentials/hash-queue.ts'
import { passwordService } from '../../src/credentials/password-service.ts'

/** Tasks that end when they are told to, and a record of which began. */
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

const never = { signal: new AbortController().signal, address: 'ann' }

t.test('so many run at a time, the others wait in their order', async (t) => {
  const queue = hashQueue({ running: 2, waiting: 3 })
  const { begun, make, end } = tasks()
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => queue(make(name), never))
  await setImmediate()
  t.same(begun, ['a', 'b'])
  await end('b')
  t.same(begun, ['a', 'b', 'c'])
  await end('c')
  await end('a')
  t.same(begun, ['a', 'b', 'c', 'd', 'e'])
  await end('d')
  await end('e')
  t.same(await Promise.all(all), ['a', 'b', 'c', 'd', 'e'], 'each is given its own result')
})

t.test('one too many is refused at once with 503, and there is room again afterwards', async (t) => {
  const queue = hashQueue({ running: 1, waiting: 1 })
  const { begun, make, end } = tasks()
  const first = queue(make('a'), never)
  const second = queue(make('b'), never)
  await t.rejects(queue(make('c'), never), { code: 'overloaded', status: 503, headers: { 'retry-after': /^\d+$/ } })
  await end('a')
  await end('b')
  await Promise.all([first, second])
  const third = queue(make('d'), never)
  await setImmediate()
  await end('d')
  t.equal(await third, 'd')
  t.same(begun, ['a', 'b', 'd'], 'what was refused never runs')
})

t.test('nobody’s tasks keep those of others waiting', async (t) => {
  const queue = hashQueue({ running: 1, waiting: 4 })
  const { begun, make, end } = tasks()
  const ask = (name: string, address: string) => queue(make(name), { ...never, address })
  const served = [ask('a1', 'a'), ask('a2', 'a'), ask('a3', 'a')]
  // They make room for others: theirs are the most that wait.
  const dropped = ['a4', 'a5'].map((name) => t.rejects(ask(name, 'a'), { code: 'overloaded' }))
  served.push(ask('b1', 'b'), ask('c1', 'c'))
  await Promise.all(dropped)
  for (const name of ['a1', 'a2', 'b1', 'c1', 'a3']) await end(name)
  t.same(begun, ['a1', 'a2', 'b1', 'c1', 'a3'], 'one of each in turn')
  t.same(await Promise.all(served), ['a1', 'a2', 'a3', 'b1', 'c1'])
})

t.test('a task that fails gives its place to the next', async (t) => {
  const queue = hashQueue({ running: 1, waiting: 5 })
  const failing = queue(() => Promise.reject(new Error('no')), never)
  const throwing = queue(() => {
    throw new Error('worse')
  }, never)
  const last = queue(async () => 'done', never)
  await t.rejects(failing, { message: 'no' })
  await t.rejects(throwing, { message: 'worse' })
  t.equal(await last, 'done')
})

t.test('who hangs up while waiting is dropped: the task never runs, and the place in the queue is free', async (t) => {
  const queue = hashQueue({ running: 1, waiting: 2 })
  const { begun, make, end } = tasks()
  const leaver = new AbortController()
  const running = queue(make('a'), never)
  const left = queue(make('b'), { ...never, signal: leaver.signal })
  const stayed = queue(make('c'), never)
  const gone = t.rejects(left, { message: 'left' })
  leaver.abort(new Error('left'))
  await gone
  const next = queue(make('d'), never)
  await t.rejects(queue(make('e'), never), { code: 'overloaded' }, 'one place was freed, and only one')
  for (const name of ['a', 'c', 'd']) await end(name)
  await Promise.all([running, stayed, next])
  t.same(begun, ['a', 'c', 'd'])
  await t.rejects(
    queue(make('f'), { ...never, signal: leaver.signal }),
    { message: 'left' },
    'who left before is not even queued',
  )
  t.notOk(begun.includes('f'))
})

t.test(
  'who hangs up while running keeps the place until the task ends, and nothing is made of its result',
  async (t) => {
    const queue = hashQueue({ running: 1, waiting: 5 })
    const { begun, make, end } = tasks()
    const leaver = new AbortController()
    const left = t.rejects(queue(make('a'), { ...never, signal: leaver.signal }), { message: 'left' })
    const next = queue(make('b'), never)
    await setImmediate()
    leaver.abort(new Error('left'))
    await setImmediate()
    t.same(begun, ['a'], 'bcrypt goes on, and nothing runs beside it')
    await end('a')
    t.same(begun, ['a', 'b'])
    await end('b')
    await Promise.all([left, next])
  },
)

t.test('of passwords one a core is checked and 64 wait, unknown names as well', async (t) => {
  const { verify } = passwordService({ cost: 4, peppers: [], processes: 1 })
  const check = () => verify('three blind mice', 'a', undefined, never)
  const places = Math.min(availableParallelism(), 3) + 64
  const all = Array.from({ length: places }, check)
  await t.rejects(check(), { code: 'overloaded' })
  await t.rejects(check(), { code: 'overloaded' })
  const results = await Promise.all(all)
  t.same(new Set(results.map(({ matches }) => matches)), new Set([false]), 'and none of them matches')
  t.equal(results.length, places)
})
