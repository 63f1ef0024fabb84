import t from 'tap'
import { type OutputStream, openDisplay } from '../../../bot/report/display.ts'
import { type RunView, viewLine, viewLines } from '../../../bot/report/view.ts'

const view: RunView = {
  ...{ elapsedMs: 65_000, robots: 100, phase: { name: 'post', done: 23, total: 50 }, checked: 1_234, silentMs: 0 },
  ...{ rates: Array.from({ length: 70 }, (_, i) => i * 20), p50: 3.21, p99: 12.3, max: 1_234 },
  errors: [
    { cause: '503 overloaded', count: 12 },
    { cause: 'timeout', count: 1 },
    { cause: '503 overloaded', count: 3 },
  ],
}

t.test('80 columns show everything, with a sparkline of 60 seconds', async (t) => {
  const lines = viewLines(view, 79)
  t.strictSame(
    lines.map((line) => line.replace(/ {2,}/g, '  ')),
    [
      'robots  100 at work for 1:05',
      'phase  post: 23 of 50',
      `requests/s  1,380  ${lines[2]?.slice(-60)}`,
      'latency  p50 3.21 ms  p99 12.3 ms  max 1.23 s',
      'errors  15 × 503 overloaded, 1 × timeout',
      'checked  1,234',
      'server  ready',
    ],
  )
  t.match(lines[2], /▂.*█$/)
  t.ok(lines.every((line) => [...line].length <= 79))
})

t.test('40 columns cut lines and shorten the sparkline; 4 s without an answer are named', async (t) => {
  const lines = viewLines({ ...view, silentMs: 4_200 }, 39)
  t.ok(lines.every((line) => [...line].length <= 39))
  t.match(lines, [/./, /./, /^requests\/s {2,}1,380 {2}.{20}$/, /./, /…$/, /./, /silent for 4 s$/])
  t.ok(
    viewLines(view, 5).every((line) => [...line].length <= 5),
    'even five columns',
  )
})

t.test('without a terminal there is a line every five seconds', async (t) => {
  const written: string[] = []
  // Only what the display uses of a stream.
  const stream = { write: (text: string) => written.push(text) > 0 } as unknown as OutputStream
  const display = openDisplay(stream)
  for (let second = 1; second <= 12; second += 1) display.show({ ...view, elapsedMs: second * 1_000 })
  t.equal(written.length, 2)
  t.equal(written[0], `${viewLine({ ...view, elapsedMs: 5_000 })}\n`)
  t.match(written[0], /^0:05; 1,380 requests\/s; p50 3\.21 ms, .*; server ready; post: 23 of 50\n$/)
})

t.test('a terminal is redrawn in place, below lines that stay', async (t) => {
  const written: string[] = []
  // Only what the display uses of a stream.
  const stream = {
    isTTY: true,
    columns: 80,
    write: (text: string) => written.push(text) > 0,
  } as unknown as OutputStream
  const display = openDisplay(stream)
  display.show(view)
  display.show(view)
  display.print('sign up: 10 of 10 in 1.0 s')
  t.notMatch(written[0], '\x1b[')
  t.ok(written[1]?.startsWith('\x1b[7A\x1b[J'))
  t.ok(written[2]?.startsWith('\x1b[7A\x1b[Jsign up: 10 of 10 in 1.0 s\nrobots'))
})
