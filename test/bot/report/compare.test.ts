import t from 'tap'
import { randomStream } from '../../../bot/random.ts'
import { caveats, compareReports } from '../../../bot/report/compare.ts'
import { mannWhitney } from '../../../bot/report/mann-whitney.ts'
import { sampleFigures, sampleReport } from './sample.ts'

/** A run whose latency wanders from second to second by itself, as a real one's does. */
function run(seed: number, { seconds = 60, factor = 1 } = {}) {
  const random = randomStream('compare', seed)
  let drift = 0
  const latencies = Array.from({ length: seconds }, () => {
    drift = 0.5 * drift + (random() - 0.5)
    return factor * 5 * Math.exp(0.2 * drift)
  })
  return sampleReport({ figures: sampleFigures({ seconds, latencyMs: (second) => latencies[second] ?? 5 }) })
}

t.test('Mann-Whitney: as in the tables, and 1 for equal samples', async (t) => {
  // Hand computed: U = 0 of 8 against 8, exact p = 2/12870; the normal approximation is a little above.
  const p = mannWhitney([1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14, 15, 16])
  t.ok(p > 0.0005 && p < 0.0015, `${p}`)
  t.equal(mannWhitney([1, 1, 1], [1, 1, 1]), 1)
  t.ok(mannWhitney([1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]) > 0.5)
})

t.test('two runs of one server differ by noise in at least 97 of 100 comparisons', async (t) => {
  const different = Array.from({ length: 100 }, (_, i) => compareReports(run(i), run(1_000 + i))).filter((rows) =>
    rows.some(({ verdict }) => verdict !== 'noise'),
  )
  t.ok(different.length <= 3, `${different.length} of 100`)
})

t.test('a server that is 30% slower is told from noise', async (t) => {
  const found = Array.from({ length: 20 }, (_, i) => compareReports(run(i), run(1_000 + i, { factor: 1.3 })))
  for (const rows of found) {
    const row = rows.find(({ action, metric }) => action === 'all' && metric === 'p50')
    t.match(row, { verdict: 'higher' })
    t.ok(row && row.ratio > 1.15 && row.ratio < 1.5, `${row?.ratio}`)
  }
})

t.test('a short run tells nothing; actions of one run alone are left out', async (t) => {
  const short = compareReports(run(1, { seconds: 30 }), run(2))
  t.ok(short.every(({ verdict }) => verdict === 'too short to tell'))
  const other = sampleReport({ figures: sampleFigures({ actions: ['post'] }) })
  t.strictSame(new Set(compareReports(run(1), other).map(({ action }) => action)), new Set(['all']))
})

t.test('different models, machines and invalid figures are named', async (t) => {
  const [a, b] = [run(1), run(2)]
  t.strictSame(caveats(a, b), [])
  b.run.model = 'open'
  b.machine.cores += 1
  b.load.invalid = ['It was late.']
  t.match(caveats(a, b), [
    /closed model, the other the open one/,
    /different machines/,
    /second run are invalid: It was late/,
  ])
})
