import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { withFaultyDatabase } from '../../bot/chaos/database.ts'
import { waitUntilReady, withLocalServer, withTemporaryDirectory } from '../../bot/spawn-server.ts'
import { startProgram } from '../programs.ts'
import type { ClientsReport, ClientsRequest, Summary } from './clients.ts'

const help = `Usage: npm run bench:outage -- [--clients <n>] [--seconds <n>]

Opens connections (default 2000) of 40 networks to a server, freezes its database, lets each client read a post and come back
as Retry-After says for some seconds (default 15), and prints how long those waited that found no place in the waiting room,
and how long /health/live took. Exit code: 0 if 99 % of the first were answered within 100 ms and 99 % of the second within
50 ms, otherwise 1.
`
const maxRefusedMs = 100
const maxLiveMs = 50

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '15' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(help)
else process.exitCode = await withTemporaryDirectory('outage', bench)

function bench(directory: string): Promise<number> {
  return withFaultyDatabase(directory, ({ proxy, settings }) =>
    withLocalServer(directory, { ...settings, LOG_LEVEL: 'silent' }, async (server) => {
      if (!(await waitUntilReady(server))) throw new Error('The server did not start.')
      const file = fileURLToPath(new URL('clients.ts', import.meta.url))
      const clients = startProgram<ClientsRequest, ClientsReport>(file)
      try {
        const port = Number(new URL(server.url).port)
        await clients.request({ kind: 'open', port, clients: Number(values.clients) })
        proxy.freeze('requests')
        proxy.freeze('replies')
        const report = await clients.request({ kind: 'send', path: '/v1/posts', seconds: Number(values.seconds) })
        proxy.thaw()
        print(report)
        return report.refused.p99 <= maxRefusedMs && report.live.p99 <= maxLiveMs ? 0 : 1
      } finally {
        await clients.stop()
      }
    }),
  )
}

function print({ open, refused, waited, live, statuses }: ClientsReport): void {
  const describe = (name: string, { count, p50, p99, max }: Summary) =>
    `${name.padEnd(22)} ${String(count).padStart(6)}  p50 ${p50.toFixed(1)} ms  p99 ${p99.toFixed(1)} ms  max ${max.toFixed(1)} ms`
  const lines = [
    `${open} connections are open; answers by status: ${JSON.stringify(statuses)}`,
    describe('waited for a primary', waited),
    describe('refused', refused),
    describe('/health/live', live),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
