import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { openTerminal } from '../fixtures/terminal.ts'
import { testServer } from '../helper.ts'
import { forwardTo, listen } from './forward.ts'

const run = (columns: number, ...args: string[]) => [
  ...['sh', '-c', 'stty rows 24 cols "$0" && exec "$@"'],
  ...[String(columns), process.execPath, 'bot/index.ts', ...args],
]

t.test('on a terminal of 80 or 40 columns the view is redrawn in place and no line of it wraps', async (t) => {
  const stub = await testServer(t)
  const forward = forwardTo(stub.url)
  const slow = createServer(async (request, response) => {
    await sleep(20)
    forward(request, response)
  })
  const url = `http://127.0.0.1:${await listen(t, slow)}`
  for (const columns of [80, 40]) {
    const terminal = openTerminal(t, run(columns, '--url', url, '--robots', '2', '--reactions', '60'))
    const { code, out } = await terminal.ended
    t.equal(code, 0, out)
    t.ok(out.includes('A\x1b[J'), 'redrawn')
    const labels = ['robots', 'phase', 'requests/s', 'latency', 'errors', 'checked', 'server']
    const lines = stripVTControlCharacters(out)
      .split(/\r?\n/)
      .filter((line) => labels.some((label) => line.startsWith(`${label} `)))
    for (const label of labels)
      t.ok(
        lines.some((line) => line.startsWith(label)),
        `${columns}: ${label}`,
      )
    t.ok(
      lines.every((line) => [...line].length < columns),
      `${columns}: no line wraps`,
    )
  }
})

t.test('a silent server is told, and after 30 s the run ends: nothing can be said', { timeout: 400_000 }, async (t) => {
  const stub = await testServer(t)
  const forward = forwardTo(stub.url)
  let requests = 0
  const freezing = createServer((request, response) => {
    requests += 1
    if (requests < 30) forward(request, response)
  })
  const url = `http://127.0.0.1:${await listen(t, freezing)}`
  const terminal = openTerminal(t, run(80, '--url', url, '--robots', '2'))
  await terminal.shows(/server +silent for 4 s/)
  const silentAt = performance.now()
  const { code, out } = await terminal.ended
  t.equal(code, 4, out)
  t.match(out, /The server has not answered for 30 s: the run ends here\./)
  t.match(out, /ledger check incomplete: /)
  const seconds = (performance.now() - silentAt) / 1000
  t.ok(seconds > 20 && seconds < 75, `${seconds} s`)
})
