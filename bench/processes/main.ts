import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from '../../src/database/connection.ts'
import { startLoad } from '../load/load.ts'
import { httpRequest } from '../load/plan.ts'
import { listProcesses, treeOf } from '../machine/processes.ts'
import { withMongod } from '../mongod.ts'
import { median } from '../results.ts'
import { create } from '../scenarios/create.ts'
import { reactManyPosts } from '../scenarios/react.ts'
import { read } from '../scenarios/read.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { whoAmI } from '../scenarios/who-am-i.ts'
import { startServer } from '../servers/start.ts'
import { openStored } from '../stored/open.ts'

const connections = 64
const durationMs = 2_000
const warmUps = 2
const rounds = 5
const pauseMs = 200

/** Where mongod and the load run: so the server's own CPU is the limit. */
const othersCpu = '0'

const layouts = [
  { title: '1 on CPU 1', processes: 1, cpu: '1' },
  { title: '2 on CPU 1', processes: 2, cpu: '1' },
  { title: '2 on both', processes: 2, cpu: '0,1' },
] as const

type Layout = (typeof layouts)[number]

const health: Scenario = {
  name: 'health',
  title: 'GET /health/live',
  against: [],
  loads: [],
  async prepare() {
    const plan = { templates: [httpRequest('GET', '/health/live')], start: 0 }
    return { plans: Array.from({ length: connections }, () => plan), values: [], check: async () => [] }
  },
}

/** With all threads; those that it starts later inherit the CPUs. */
function pin(pids: readonly number[], cpu: string): void {
  for (const pid of pids) execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cpu, String(pid)])
}

const pidsOf = (root: number) => treeOf(root, listProcesses()).map(({ pid }) => pid)

async function open(scenario: Scenario, { title, processes, cpu }: Layout, connection: Connection) {
  const uri = new URL(connection.uri)
  uri.pathname = `/bench_${scenario.name}_${title}`.replaceAll(/[- ]/g, '_')
  const own = { ...connection, uri: uri.href }
  const server = await startServer('rookery', own, { bcryptCost: 4, processes, profileDir: undefined })
  const stored = await openStored('rookery', own, '')
  const load = startLoad()
  const { port } = server
  const { plans, values } = await scenario.prepare({ side: 'rookery', port, stored, connections })
  pin(pidsOf(server.pid ?? 0), cpu)
  pin(pidsOf(load.pid ?? 0), othersCpu)
  let done = plans.map(() => 0)
  return {
    async run(): Promise<number> {
      const outcome = await load.request({ port, durationMs, plans, values, done })
      done = outcome.done
      return (outcome.inTime / durationMs) * 1_000
    },
    async close(): Promise<void> {
      await load.stop()
      await stored.close()
      await server.stop()
    },
  }
}

async function measure(scenario: Scenario, connection: Connection): Promise<number[]> {
  const servers = []
  for (const layout of layouts) servers.push(await open(scenario, layout, connection))
  pin(
    listProcesses().flatMap(({ pid, parent, name }) =>
      parent === process.pid && name.startsWith('mongod') ? pid : [],
    ),
    othersCpu,
  )
  const rates = servers.map((): number[] => [])
  for (let round = 1 - warmUps; round <= rounds; round += 1) {
    for (const [n, server] of servers.entries()) {
      const rate = await server.run()
      if (round > 0) rates[n]?.push(rate)
      await sleep(pauseMs)
    }
  }
  for (const server of servers) await server.close()
  return rates.map(median)
}

/**
 * `npm run bench:processes`: requests/s of one process and of two where the server's own thread is the limit, which
 * mongod and the load, pinned to another CPU, leave it alone with. Medians of five rounds, in turns.
 */
async function compare(): Promise<void> {
  const cell = (text: string | number) => String(text).padStart(14)
  process.stdout.write(
    `${'64 connections, requests/s'.padEnd(28)}${layouts.map(({ title }) => cell(title)).join('')}\n`,
  )
  await withMongod(async (connection) => {
    for (const scenario of [health, whoAmI, read, create, reactManyPosts]) {
      const rates = (await measure(scenario, connection)).map((rate) => cell(Math.round(rate).toLocaleString('en')))
      process.stdout.write(`${scenario.title.padEnd(28)}${rates.join('')}\n`)
    }
  })
}

if (process.argv.length > 2) {
  process.stderr.write('bench:processes has no options.\n')
  process.exitCode = 2
} else if (process.platform !== 'linux' || cpus().length < 2) {
  process.stderr.write('bench:processes needs Linux, taskset and two CPUs.\n')
  process.exitCode = 1
} else await compare()
