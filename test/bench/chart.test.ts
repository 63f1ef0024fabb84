import t from 'tap'
import { chart } from '../../bench/chart.ts'
import { replaceBetween } from '../../bench/document.ts'
import type { Measured, Round } from '../../bench/results.ts'
import { newest, read } from '../../bench/scenarios/read.ts'
import type { Side } from '../../bench/sides.ts'

const round = (side: Side, perSecond: number): Round => ({
  side,
  perSecond,
  cpuUs: { server: 1, mongod: 1, load: 1 },
  noise: 0,
})

const measured = (connections: number, ...rounds: Round[][]): Measured => ({
  scenario: read,
  load: { connections },
  rounds,
})

const lengthsOf = (svg: string) =>
  [...svg.matchAll(/width="([\d.]+)" height="12" fill="[^"]+"><title>([^<]+)/g)].map(([, length, title]) => ({
    title,
    length: Number(length),
  }))

t.test('a bar is as long as its median in multiples of Rookery’s', async (t) => {
  const svg = chart([
    measured(16, [round('bare', 50), round('rookery', 100)], [round('bare', 60), round('rookery', 120)]),
    measured(64, [round('bare', 999), round('rookery', 999)]),
    { scenario: newest, load: { perSecond: 100 }, rounds: [[round('bare', 1), round('rookery', 1)]] },
  ])
  const [bare, rookery, ...more] = lengthsOf(svg)
  t.same(more, [], 'only 16 connections')
  t.equal(bare?.title, 'bare Fastify: 55/s')
  t.equal(rookery?.title, 'Rookery: 110/s')
  t.equal(bare?.length, (rookery?.length ?? 0) / 2)
})

t.test('the longest bar fits, and without results the chart is empty', async (t) => {
  const svg = chart([measured(16, [round('constant', 5_000), round('rookery', 10)])])
  for (const { length } of lengthsOf(svg)) t.ok(length <= 550)
  t.same(lengthsOf(chart([])), [])
  t.match(chart([]), /^<svg [^>]+>[\s\S]+<\/svg>\n$/)
})

const [begin, end] = ['<!-- npm run bench -- --write: begin -->', '<!-- npm run bench -- --write: end -->']

t.test('only the text between the markers is replaced, however often', async (t) => {
  const once = replaceBetween(`# Title\n\n${begin}\nold\n${end}\n\nmore\n`, ['new', 'lines'])
  t.equal(once, `# Title\n\n${begin}\n\nnew\nlines\n\n${end}\n\nmore\n`)
  t.equal(replaceBetween(once, ['new', 'lines']), once)
})

t.test('a document without both markers is not written', async (t) => {
  for (const text of ['', begin, end, `${end} ${begin}`, `${begin}${begin}${end}`])
    t.throws(() => replaceBetween(text, []), /must have/)
})
