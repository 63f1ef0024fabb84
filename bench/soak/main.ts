import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { withFaultyDatabase } from '../../bot/chaos/database.ts'
import { processFaults } from '../../bot/chaos/process-faults.ts'
import { reportSchema } from '../../bot/report/schema.ts'
import {
  isRunning,
  type LocalServer,
  spawnProgram,
  spawnServer,
  waitUntilReady,
  withLocalServer,
} from '../../bot/spawn-server.ts'

const help = `Usage: npm run bench:soak -- [minutes] [robots]

Lets robots (default 1000) use a server with --faults for some minutes (default 10), while the server and mongod are killed in
turn, six times each. Exit code: 0 the ledger agrees, the bot stayed under 600 MB and ended within 60 s after its time,
otherwise 1.
`
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean', default: false } },
})
const [minutes = 10, robots = 1_000] = positionals.map(Number)
const killsOfEach = 6
const maxRssBytes = 600e6
const maxSecondsAfter = 60

if (values.help) process.stdout.write(help)
else process.exitCode = await bench()

async function bench(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'rookery-soak-'))
  try {
    const settings = { TMPDIR: directory, LOG_LEVEL: 'silent', BCRYPT_COST: '4' }
    const faults = await withFaultyDatabase(directory, (database) =>
      withLocalServer(directory, { ...database.settings, ...settings }, (server) => soak(server, directory)),
    )
    for (const fault of faults) process.stdout.write(`failed: ${fault}\n`)
    return faults.length === 0 ? 0 : 1
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function soak(server: LocalServer, directory: string): Promise<string[]> {
  if (!(await waitUntilReady(server))) return ['the server did not start']
  const json = join(directory, 'report.json')
  const size = ['--robots', String(robots), '--for', `${minutes}m`, '--seed', '1', '--faults']
  const bot = spawnProgram({ name: 'bot' }, ['bot/index.ts', ...size, '--json', json, '--url', server.url], {})
  let [rss, secondsAfter] = [0, 0]
  if (bot.child.stdout)
    createInterface(bot.child.stdout).on('line', (line) => {
      const [, seconds] = /^(?:verify|log out): .* in ([\d.]+) s$/.exec(line) ?? []
      if (seconds) secondsAfter += Number(seconds)
    })
  const ended = new AbortController()
  const kills = killInTurn(server, ended.signal)
  while (isRunning(bot)) {
    rss = Math.max(rss, await rssOf(bot.child.pid))
    await Promise.race([sleep(500), bot.ended])
  }
  await bot.ended
  ended.abort()
  const killed = await kills
  const report = reportSchema.parse(JSON.parse(await readFile(json, 'utf8')))
  secondsAfter += report.seconds - minutes * 60
  const line = `${JSON.stringify(killed)} kills, ${Math.round(rss / 1e6)} MB, ended ${secondsAfter.toFixed(0)} s after its time`
  process.stdout.write(`${line}: ${report.check.summary}; faults ${JSON.stringify(report.faults)}\n`)
  return [
    ...(report.check.verdict === 'agrees' ? [] : [report.check.summary]),
    ...Object.entries(killed).flatMap(([name, count]) =>
      count >= 5 ? [] : [`${name} was killed only ${count} times`],
    ),
    ...(rss <= maxRssBytes ? [] : [`the bot used ${Math.round(rss / 1e6)} MB`]),
    ...(secondsAfter <= maxSecondsAfter ? [] : [`the bot ended ${secondsAfter.toFixed(0)} s after its time`]),
  ]
}

/** Kills the server and mongod in turn until the bot has ended, and starts the server again. */
async function killInTurn(server: LocalServer, stop: AbortSignal): Promise<Record<'server' | 'mongod', number>> {
  const killed = { server: 0, mongod: 0 }
  const faults = processFaults(server)
  const pauseMs = (minutes * 60_000) / (2 * killsOfEach + 1)
  for (let n = 0; n < 2 * killsOfEach; n += 1) {
    await sleep(pauseMs, undefined, { signal: stop }).catch(() => undefined)
    if (stop.aborted) break
    const name = n % 2 === 0 ? 'server' : 'mongod'
    if (await faults[`kill-${name}`](stop)) killed[name] += 1
    if (name === 'server') server.program = spawnServer(server)
    await waitUntilReady(server)
  }
  return killed
}

async function rssOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024
}
