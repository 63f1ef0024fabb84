import t from 'tap'
import type { Measured, Round } from '../../bench/results.ts'
import { readDuringLogins } from '../../bench/scenarios/log-in.ts'
import { newest, read } from '../../bench/scenarios/read.ts'
import { type Side, sides } from '../../bench/sides.ts'
import { cpuTable, figuresTable } from '../../bench/tables.ts'

const round = (side: Side, perSecond: number, more: Partial<Round> = {}): Round => ({
  side,
  perSecond,
  cpuUs: { server: 100.4, mongod: 10, load: 5 },
  noise: 0,
  ...more,
})

const measured: Measured[] = [
  {
    scenario: read,
    load: { connections: 16 },
    rounds: [
      [round('bare', 1_000), round('rookery', 1_500, { noise: 0.5 })],
      [round('bare', 1_000), round('rookery', 1_700, { noise: 0.5 })],
      [round('bare', 1_000), round('rookery', 1_600)],
    ],
  },
  {
    scenario: read,
    load: { perSecond: 100 },
    rounds: [
      [round('bare', 100, { latencyMs: { p50: 2, p99: 4 } }), round('rookery', 100, { latencyMs: { p50: 3, p99: 9 } })],
    ],
  },
  { scenario: newest, load: { connections: 16 }, rounds: [] },
]

const cellsOf = (line: string | undefined) =>
  (line ?? '')
    .split('|')
    .map((cell) => cell.trim())
    .slice(1, -1)

t.test('the table has medians with their range, the goal, the ratio, and whether it is reached', async (t) => {
  const [header, , ...rows] = figuresTable(measured)
  t.same(cellsOf(header), ['scenario', 'figure', 'bare Fastify', 'Rookery', 'to reach', 'Rookery’s ratio'])
  t.same(rows.map(cellsOf), [
    [
      'read a post, 16 connections',
      'requests/s',
      '1,000 ±0 %',
      '1,600† ±6 %',
      '≥ 1.6 × bare Fastify',
      '1.60 (1.50–1.70) ✓',
    ],
    ['read a post, at 100/s', 'p50, ms', '2.0', '3.0', '≤ 1 × bare Fastify', '1.50 (1.50–1.50) ✗'],
    ['read a post, at 100/s', 'p99, ms', '4.0', '9.0', '', ''],
  ])
})

t.test('the columns are aligned, and a scenario without a round has no row', async (t) => {
  const lines = figuresTable(measured)
  t.equal(new Set(lines.map(({ length }) => length)).size, 1)
  t.notMatch(lines.join('\n'), newest.title)
})

t.test('CPU per request is told for closed loops', async (t) => {
  const [header, , ...rows] = cpuTable(measured)
  t.same(cellsOf(header).slice(1), [sides.bare.title, sides.rookery.title])
  t.same(rows.map(cellsOf), [['read a post, 16 connections', '100 + 10', '100 + 10']])
  t.same(cpuTable(measured.slice(1)), [], 'a fixed rate has no row')
})

t.test('reading during logins is compared with Rookery’s own latency without them', async (t) => {
  const latency = (side: Side, p99: number) => round(side, 100, { latencyMs: { p50: 1, p99 } })
  const storm: Measured[] = [
    { scenario: readDuringLogins, load: { perSecond: 100 }, rounds: [[latency('flask', 5), latency('rookery', 5)]] },
    {
      scenario: readDuringLogins,
      load: { perSecond: 100, duringLogins: true },
      rounds: [[latency('flask', 900), latency('rookery', 14)]],
    },
  ]
  const [, , idle, busy] = figuresTable(storm)
  t.same(cellsOf(idle), ['read a post, at 100/s', 'p99, ms', '5.0', '5.0', '', ''])
  const title = 'read a post, at 100/s while logins saturate'
  t.same(cellsOf(busy), [title, 'p99, ms', '900.0', '14.0', '≤ 3 × without logins', '2.80 (2.80–2.80) ✓'])
})
