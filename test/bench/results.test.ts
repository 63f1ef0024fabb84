import t from 'tap'
import { isNoisy, type Measured, median, percentile, type Round, ratiosOf } from '../../bench/results.ts'
import { whoAmI } from '../../bench/scenarios/who-am-i.ts'
import type { Side } from '../../bench/sides.ts'

const round = (side: Side, perSecond: number): Round => ({
  side,
  perSecond,
  cpuUs: { server: 100, mongod: 10, load: 5 },
  noise: 0,
})

t.test('the median of an odd count is the middle number, of an even count the mean of both', async (t) => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([10, 1, 2, 3]), 2.5)
  t.ok(Number.isNaN(median([])))
})

t.test('a percentile is a number that occurred', async (t) => {
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n)
  t.equal(percentile(hundred, 99), 99)
  t.equal(percentile(hundred, 50), 50)
  t.equal(percentile([7], 99), 7)
  t.ok(Number.isNaN(percentile([], 50)))
})

t.test('a ratio compares the two figures of one round, whatever the order in it', async (t) => {
  const measured: Measured = {
    scenario: whoAmI,
    load: { connections: 16 },
    rounds: [
      [round('pocketbase', 100), round('rookery', 200)],
      [round('rookery', 60), round('pocketbase', 20)],
      [round('pocketbase', 50), round('rookery', 50)],
    ],
  }
  t.same(ratiosOf(measured, 'pocketbase', 'perSecond'), { median: 2, min: 1, max: 3 })
  t.equal(ratiosOf(measured, 'flask', 'perSecond'), undefined, 'Flask was not measured')
})

t.test('a round is noisy when others took more than a twentieth of the machine', async (t) => {
  t.equal(isNoisy({ ...round('bare', 1), noise: 0.05 }), false)
  t.equal(isNoisy({ ...round('bare', 1), noise: 0.06 }), true)
  t.equal(isNoisy({ ...round('bare', 1), noise: null }), false)
})
