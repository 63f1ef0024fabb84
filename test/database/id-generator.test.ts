import fc from 'fast-check'
import t from 'tap'
import { idGenerator } from '../../src/database/id-generator.ts'
import { timeOf } from '../../src/database/ids.ts'

const start = Date.UTC(2026, 10, 28)
const dayMs = 86_400_000

function generatorAt(time: number) {
  const clock = { now: time }
  const next = idGenerator(() => clock.now)
  return { clock, next, take: (count: number) => Array.from({ length: count }, next) }
}

const isAscending = (ids: readonly string[]) => ids.every((id, n) => n === 0 || id > (ids[n - 1] ?? ''))

t.test('one id made while the clock is three days ahead leaves no later id ahead', async (t) => {
  const { clock, next } = generatorAt(start + 3 * dayMs)
  t.equal(timeOf(next()).getTime(), start + 3 * dayMs)
  clock.now = start
  for (; clock.now < start + 10; clock.now += 1) t.equal(timeOf(next()).getTime(), clock.now)
})

t.test('ids ascend while the clock stands still, and while it is set back by less than a second', async (t) => {
  const { clock, take } = generatorAt(start)
  const before = take(5_000)
  clock.now = start - 999
  const ids = [...before, ...take(5_000)]
  t.ok(isAscending(ids))
  t.equal(timeOf(ids.at(-1) ?? '').getTime(), start)
})

t.test('a clock that is set back by a second is followed at once, with ids of its own', async (t) => {
  const { clock, take } = generatorAt(start)
  const first = take(100)
  clock.now = start - 1_000
  const behind = take(100)
  t.ok(behind.every((id) => timeOf(id).getTime() === start - 1_000))
  clock.now = start
  const second = take(100)
  t.equal(new Set([...first, ...behind, ...second]).size, 300, 'also when the same millisecond comes again')
  t.ok([first, behind, second].every(isAscending))
})

t.test('whatever the clock does, ids are unique UUIDv7 and never more than a second ahead of it', async () => {
  const step = fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.integer({ min: -1_500, max: 1_500 }),
    fc.integer({ min: -3 * dayMs, max: 3 * dayMs }),
  )
  const check = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const { clock, next } = generatorAt(start)
    const seen = new Set<string>()
    let latest = { id: '', time: 0 }
    for (const ms of steps) {
      clock.now += ms
      for (let n = 0; n < 3; n += 1) {
        const id = next()
        const time = timeOf(id).getTime()
        if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)) return false
        if (time < clock.now || time - clock.now > 1_000) return false
        if (latest.time - clock.now < 1_000 && id <= latest.id) return false
        seen.add(id)
        latest = { id, time }
      }
    }
    return seen.size === 3 * steps.length
  })
  fc.assert(check, { numRuns: 500 })
})

t.test('two generators in the same millisecond share no id, and 100,000 ids differ in every random bit', async (t) => {
  const [one, other] = [generatorAt(start).take(50_000), generatorAt(start).take(50_000)]
  t.equal(new Set([...one, ...other]).size, 100_000)
  const tails = [...one, ...other].map((id) => BigInt(`0x${id.slice(-12)}`))
  for (let bit = 0n; bit < 48n; bit += 1n) {
    const ones = tails.filter((tail) => (tail >> bit) & 1n).length
    t.ok(ones > 48_000 && ones < 52_000, `bit ${bit}: ${ones}`)
  }
})
