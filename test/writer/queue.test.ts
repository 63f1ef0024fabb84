import t from 'tap'
import { sheddingQueue } from '../../src/writer/queue.ts'

type Item = { n: number; deadline: number; bytes: number }

const limits = { items: 100, bytes: 1_000_000, expectedMs: 100 }

/** A queue of numbered items, by a clock that the test sets. */
function numberedQueue() {
  const queue = sheddingQueue<Item>()
  let count = 0
  const arrive = (items: number) =>
    Array.from({ length: items }, () => {
      count += 1
      return queue.push({ n: count, deadline: 4_500, bytes: 1 }, limits)
    }).filter((accepted) => accepted).length
  return { queue, arrive, take: (now: number) => queue.take(now, limits).map(({ n }) => n) }
}

t.test('more arrives than is taken, for two seconds: the queue keeps half a second of the newest', async (t) => {
  const { queue, arrive, take } = numberedQueue()
  arrive(1_000)
  for (let now = 0; now <= 2_000; now += 100) {
    t.equal(queue.shed(limits).length, 0, 'nothing is shed before')
    t.equal(arrive(200), 200)
    take(now)
  }
  t.ok(queue.isOverloaded())
  const before = queue.length
  const shed = queue.shed(limits)
  t.equal(queue.length, 500)
  t.equal(shed.length, before - 500)
  t.equal(arrive(10), 0, 'a full queue refuses')
  const [first = 0, ...others] = take(2_100)
  t.ok(
    shed.every(({ n }) => n < first),
    'the oldest are shed',
  )
  t.same(
    others,
    Array.from({ length: 99 }, (_, n) => first + n + 1),
    'the others stay in their order',
  )
  t.equal(arrive(200), 100, 'as many as were taken are accepted')
})

t.test('a burst is no overload, and neither is a pause of the database', async (t) => {
  const { queue, arrive, take } = numberedQueue()
  arrive(10_000)
  for (let now = 0; now < 9_900; now += 100) take(now)
  t.notOk(queue.isOverloaded())
  t.equal(queue.length, 100, 'all others were taken')

  const paused = numberedQueue()
  paused.arrive(200)
  paused.take(0)
  paused.arrive(1_000)
  for (let now = 1_500; now < 4_000; now += 100) {
    paused.arrive(50)
    paused.take(now)
    t.notOk(paused.queue.isOverloaded())
  }
})

t.test('a queue that becomes empty is no longer overloaded', async (t) => {
  const { queue, arrive, take } = numberedQueue()
  arrive(1_000)
  for (let now = 0; now <= 2_000; now += 100) {
    arrive(200)
    take(now)
  }
  t.ok(queue.isOverloaded())
  queue.shed(limits)
  for (let now = 2_100; queue.length > 0; now += 100) take(now)
  t.notOk(queue.isOverloaded())
  t.equal(arrive(5_000), 5_000, 'and takes a burst again')
})

t.test('items that are put back come first', async (t) => {
  const { queue, arrive, take } = numberedQueue()
  arrive(3)
  const batch = queue.take(0, { ...limits, items: 2 })
  queue.putBack(batch)
  t.same(take(0), [1, 2, 3])
})
