import t from 'tap'
import { type Answer, goodput, type Simulation, simulate, waitMsP99 } from '../../bench/overload/simulation.ts'

const databases = {
  'quick database': (items: number) => 10 + items,
  'database that needs 2 ms for each item': (items: number) => 10 + 2 * items,
  'database that needs 10 ms for each item': (items: number) => 5 + 10 * items,
  'database whose operations take 100 ms': (items: number) => 800 + 0.4 * items,
  'database that is slower the larger the batch': (items: number) => 10 + items + items ** 2 / 1_000,
}

/** Simulations compute: a busy machine needs many times as long. */
const timeout = 200_000

const constant = (perSecond: number) => () => perSecond

/** What batches of 500 achieve, the most that group commit can do with a fixed time for each batch. */
const saturation = (batchMs: (items: number) => number) => 500_000 / batchMs(500)

for (const [name, batchMs] of Object.entries(databases)) {
  t.test(`a ${name}: at 2 and 4 times saturation, goodput is at least 80% of the peak`, { timeout }, async (t) => {
    const run = (load: number) =>
      simulate({ seconds: 16, arrivalsPerSecond: constant(load * saturation(batchMs)), batchMs })
    const peak = Math.max(saturation(batchMs), goodput(await run(1), 8, 16))
    for (const load of [2, 4]) {
      const answers = await run(load)
      const achieved = goodput(answers, 8, 16)
      t.ok(achieved >= 0.8 * peak, `${achieved.toFixed()}/s of ${peak.toFixed()}/s at ${load} times saturation`)
      const p99 = waitMsP99(answers)
      t.ok(p99 < 4_000, `acknowledged after at most ${p99.toFixed()} ms`)
      const refused = answers.filter(({ error }) => error !== undefined)
      const overload = refused.filter(({ error }) => error === 'OverloadedError')
      t.ok(overload.length > 0.9 * refused.length, 'the others are refused as overload')
    }
  })
}

t.test('a burst of 3 seconds of writes is written completely if no more arrive', async (t) => {
  const arrivalsPerSecond = (second: number) => (second > 1 && second < 1.5 ? 6_000 : 50)
  const answers = await simulate({ seconds: 10, arrivalsPerSecond, batchMs: (items) => 10 + items })
  t.same(errorsOf(answers), [])
})

t.test('after 5 seconds without an answer, goodput is back within 2 seconds, at any load', { timeout }, async (t) => {
  const outages = {
    'a database that answers late': (items: number, second: number) =>
      Math.max(0, 10 - second) * 1_000 + 10 + 4 * items,
    'a database that never answers': (items: number) => 10 + 4 * items + Number.POSITIVE_INFINITY,
  }
  for (const [name, during] of Object.entries(outages)) {
    for (const load of [0.3, 0.9, 2, 4]) {
      const answers = await simulate({
        seconds: 20,
        arrivalsPerSecond: constant(load * 245),
        batchMs: (items, second) => (second >= 5 && second < 10 ? during(items, second) : 10 + 4 * items),
      })
      const achieved = goodput(answers, 12, 20)
      const expected = 0.8 * Math.min(load, 1) * 245
      t.ok(achieved >= expected, `${name}: ${achieved.toFixed()}/s at ${load} times saturation`)
    }
  }
})

t.test('a database that becomes slow and quick again is used to what it can do', { timeout }, async (t) => {
  const slow = {
    'slow operations': { batchMs: (items: number) => 800 + items, possible: 385 },
    'slow items': { batchMs: (items: number) => 10 * items, possible: 100 },
  }
  for (const [name, { batchMs, possible }] of Object.entries(slow)) {
    const answers = await simulate({
      seconds: 40,
      arrivalsPerSecond: constant(750),
      batchMs: (items, second) => (second >= 5 && second < 25 ? batchMs(items) : 10 + 2 * items),
    })
    const whileSlow = goodput(answers, 10, 25)
    t.ok(whileSlow >= 0.75 * possible, `${name}: ${whileSlow.toFixed()}/s of ${possible}/s`)
    t.ok(goodput(answers, 28, 40) >= 0.8 * 490, `${goodput(answers, 28, 40).toFixed()}/s afterwards`)
  }
})

t.test('keys that stay locked', async (t) => {
  const isLocked = (count: number) => (key: number, second: number) => key < count && second >= 4 && second < 12
  const open = (answers: readonly Answer[], locked: number) => answers.filter(({ key }) => key >= locked)
  const run = async (simulation: Omit<Simulation, 'seconds' | 'isLocked'>, locked: number) => {
    const answers = await simulate({ seconds: 20, isLocked: isLocked(locked), ...simulation })
    return { answers, writesOfOthers: (from: number, to: number) => goodput(open(answers, locked), from, to) }
  }

  t.test('20 of 1,000: the writes of other keys go on, and nothing is left behind', async (t) => {
    let reports = 0
    const onLocked = () => {
      reports += 1
    }
    const quick = { arrivalsPerSecond: constant(800), batchMs: (items: number) => 10 + items / 2, onLocked }
    const { answers, writesOfOthers } = await run(quick, 20)
    t.ok(writesOfOthers(8, 12) > 400, `${writesOfOthers(8, 12).toFixed()}/s of 784/s while they are locked`)
    t.ok(writesOfOthers(14, 20) > 700, `${writesOfOthers(14, 20).toFixed()}/s afterwards`)
    const late = answers.filter(({ arrivedMs, error }) => arrivedMs > 14_000 && error !== undefined)
    t.equal(late.length, 0, 'nothing that arrives after the unlock fails')
    t.ok(reports >= 5 && reports <= 9, `reported ${reports} times in 8 seconds`)
  })

  t.test('one of 1,000, with 100 ms an operation: the writes of other keys go on', async (t) => {
    const slow = { arrivalsPerSecond: constant(300), batchMs: (items: number) => 800 + items / 5 }
    const { writesOfOthers } = await run(slow, 1)
    t.ok(writesOfOthers(4, 12) > 100, `${writesOfOthers(4, 12).toFixed()}/s of 300/s while it is locked`)
    t.ok(writesOfOthers(15, 20) > 250, `${writesOfOthers(15, 20).toFixed()}/s afterwards`)
  })
})

function errorsOf(answers: readonly Answer[]): string[] {
  return [...new Set(answers.flatMap(({ error }) => error ?? []))]
}
