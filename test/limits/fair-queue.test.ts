import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { fairQueue, type QueueBounds } from '../../src/limits/fair-queue.ts'

const { signal } = new AbortController()

/** A queue with one running task, which holds its slot; `end` ends the oldest running task. */
async function busyQueue(bounds: Partial<QueueBounds> = {}) {
  let nowMs = 0
  const refusals: number[] = []
  const refused = (seconds: number) => {
    refusals.push(seconds)
    return new Error('refused')
  }
  const queue = fairQueue({ maxRunning: 1, maxWaiting: 1_000, ...bounds }, refused, () => nowMs)
  const begun: string[] = []
  const running: (() => void)[] = []
  const outcomes = new Map<string, string>()
  const submit = (name: string, network: string | readonly string[], reserved = false, key = name) => {
    const task = () => {
      begun.push(name)
      return new Promise<void>((resolve) => running.push(resolve))
    }
    queue(task, { signal, key, groups: [network].flat(), reserved }).then(
      () => outcomes.set(name, 'done'),
      () => outcomes.set(name, 'refused'),
    )
  }
  const end = async (times = 1, tookMs = 0) => {
    for (let n = 0; n < times; n += 1) {
      nowMs += tookMs
      running.shift()?.()
      await setImmediate()
    }
  }
  submit('holder', 'its own')
  await setImmediate()
  return { begun, submit, end, outcomes, refusals, queue }
}

t.test('80 addresses of one network take one turn of every other one', async (t) => {
  const { begun, submit, end } = await busyQueue()
  for (let n = 0; n < 80; n += 1) submit(`attacker ${n}`, 'a /48')
  for (let n = 0; n < 3; n += 1) submit(`other ${n}`, `network ${n}`)
  await end(5)
  t.same(begun, ['holder', 'attacker 0', 'other 0', 'other 1', 'other 2', 'attacker 1'])
})

t.test('a network that comes rarely has two turns before all that are back after each of theirs', async (t) => {
  const { begun, submit, end } = await busyQueue()
  const networks = ['a', 'b', 'c', 'd', 'e']
  for (const network of networks) submit(`${network} 0`, network)
  for (let turns = 1; turns <= 15; turns += 1) {
    await end()
    const [network = ''] = begun.at(-1) ?? ''
    submit(`${network} ${turns}`, network)
  }
  begun.length = 0
  for (const name of ['login', 'confirmation', 'third', 'fourth']) submit(name, 'rare')
  await end(8)
  t.same(begun.slice(0, 2), ['login', 'confirmation'])
  t.same(
    begun.map((name) => name.length > 4),
    [true, true, false, false, false, false, false, true],
    'then it takes turns',
  )
})

t.test('within a network its addresses take turns', async (t) => {
  const { begun, submit, end } = await busyQueue()
  for (let n = 0; n < 3; n += 1) submit(`busy ${n}`, 'a /48', false, 'one /64')
  submit('neighbour', 'a /48')
  await end(4)
  t.same(begun, ['holder', 'busy 0', 'neighbour', 'busy 1', 'busy 2'])
})

t.test('a full queue ends the youngest of the busiest network', async (t) => {
  const { submit, outcomes, end, begun } = await busyQueue({ maxWaiting: 4 })
  for (let n = 0; n < 3; n += 1) submit(`attacker ${n}`, 'a /48')
  submit('first', 'its network')
  submit('second', 'another network')
  submit('attacker 3', 'a /48')
  await setImmediate()
  t.same(Object.fromEntries(outcomes), { 'attacker 2': 'refused', 'attacker 1': 'refused' }, 'the last, not all')
  await end(5)
  t.same(begun, ['holder', 'attacker 0', 'first', 'second', 'attacker 3'])
})

t.test('a newcomer is never refused because it is new: 64 networks with one task each give way', async (t) => {
  const { submit, outcomes, end, begun } = await busyQueue({ maxWaiting: 64 })
  for (let n = 0; n < 64; n += 1) submit(`attacker ${n}`, `network ${n}`)
  submit('newcomer', 'another network')
  submit('attacker again', 'network 0')
  await setImmediate()
  t.same(Object.fromEntries(outcomes), { 'attacker 63': 'refused', 'attacker again': 'refused' })
  await end(64)
  t.ok(begun.includes('newcomer'))
})

t.test('a network that has filled the queue ends its own busiest address, and no other network', async (t) => {
  const { submit, outcomes } = await busyQueue({ maxWaiting: 4 })
  submit('other', 'another network')
  for (const name of ['a1', 'a2', 'a3', 'a4']) submit(name, 'a /48', false, 'one /64')
  submit('neighbour', 'a /48')
  await setImmediate()
  t.same(Object.fromEntries(outcomes), { a4: 'refused', a3: 'refused' })
})

t.test('within a /48 its /56s take turns: a neighbour waits for no more than one of 80 /64s', async (t) => {
  const { begun, submit, end } = await busyQueue()
  for (let n = 0; n < 80; n += 1) submit(`attacker ${n}`, ['a /48', 'a /56'])
  submit('neighbour', ['a /48', 'another /56'])
  submit('other', ['another /48', 'its /56'])
  await end(4)
  t.same(begun, ['holder', 'attacker 0', 'other', 'neighbour', 'attacker 1'])
})

t.test('a full queue of one /48 ends the youngest of its busiest /56', async (t) => {
  const { submit, outcomes } = await busyQueue({ maxWaiting: 4 })
  for (let n = 0; n < 3; n += 1) submit(`attacker ${n}`, ['a /48', 'a /56'])
  submit('first', ['a /48', 'its /56'])
  submit('second', ['a /48', 'another /56'])
  await setImmediate()
  t.same(Object.fromEntries(outcomes), { 'attacker 2': 'refused' })
})

t.test('at 100 ms a task and two at a time, 256 at once are all served', async (t) => {
  const { submit, end, begun, outcomes } = await busyQueue({ maxRunning: 2, maxWorkMs: 15_000 })
  submit('measured', 'one')
  await end(2, 100)
  for (let n = 0; n < 256; n += 1) submit(`login ${n}`, 'one', false, 'one')
  await end(256, 100)
  t.equal(begun.length, 2 + 256)
  t.notOk([...outcomes.values()].includes('refused'))
})

t.test(
  'what could not have its turn within 15 s is refused at once, and a newcomer of another network is not',
  async (t) => {
    const { submit, end, outcomes, refusals, begun } = await busyQueue({ maxWorkMs: 15_000 })
    await end(1, 1_000)
    submit('running', 'one', false, 'one')
    for (let n = 0; n < 16; n += 1) submit(`task ${n}`, 'one', false, 'one')
    await setImmediate()
    t.equal(outcomes.get('task 15'), 'refused')
    t.same(refusals, [15], 'Retry-After: the 15 tasks of a second each that wait')
    submit('neighbour', 'one')
    submit('newcomer', 'another network')
    submit('known', 'one', true)
    await setImmediate()
    t.equal(refusals.length, 1)
    await end(2, 1_000)
    t.ok(begun.includes('known'))
    await end(2, 1_000)
    t.ok(begun.includes('newcomer'))
  },
)

t.test('assertRoom refuses what the queue would refuse', async (t) => {
  const { submit, end, queue } = await busyQueue({ maxWorkMs: 2_000 })
  await end(1, 1_000)
  const turn = { key: 'one', groups: ['one'] }
  for (let n = 0; n < 3; n += 1) {
    t.doesNotThrow(() => queue.assertRoom(turn))
    submit(`task ${n}`, 'one', false, 'one')
  }
  t.throws(() => queue.assertRoom(turn), { message: 'refused' })
  t.doesNotThrow(() => queue.assertRoom({ ...turn, reserved: true }))
})

t.test('reserved tasks have every other turn and places of their own, which strangers cannot fill', async (t) => {
  const { submit, outcomes, end, begun } = await busyQueue({ maxWaiting: 4 })
  for (let n = 0; n < 6; n += 1) submit(`stranger ${n}`, `network ${n}`)
  for (let n = 0; n < 3; n += 1) submit(`known ${n}`, `account ${n}`, true)
  await setImmediate()
  t.equal([...outcomes.keys()].filter((name) => name.startsWith('known')).length, 0, 'none is refused')
  await end(5)
  t.match(begun.join(), /^holder,known 0,stranger \d,known 1,stranger \d,known 2$/)
})

t.test('Retry-After: until what waits will have run, at the mean time of the tasks', async (t) => {
  const { submit, end, refusals } = await busyQueue({ maxWaiting: 10 })
  for (let n = 0; n < 11; n += 1) submit(`task ${n}`, 'one', false, 'one')
  await end(1, 2_500)
  submit('tenth', 'one', false, 'one')
  submit('eleventh', 'one', false, 'one')
  await setImmediate()
  t.same(refusals, [1, 25], 'a second at least; then ten of 2.5 s')
})
