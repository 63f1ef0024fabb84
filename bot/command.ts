import { styleText } from 'node:util'
import packageJson from '../package.json' with { type: 'json' }
import { printLine, runCommand } from './cli.ts'
import type { RunContext } from './client.ts'
import { identity, privateIdentity } from './content.ts'
import { runCrowd } from './crowd.ts'
import { Measurements } from './load/measurements.ts'
import { help } from './options/help.ts'
import { type Options, readOptions } from './options/options.ts'
import { checkServer, serverVersion } from './preflight.ts'
import { buildReport } from './report/build.ts'
import { compareCommand } from './report/compare-command.ts'
import { openDisplay } from './report/display.ts'
import { signalCodes } from './report/exit-code.ts'
import { grouped } from './report/format.ts'
import { phasesIn, startPulse } from './report/pulse.ts'
import { jsonSchema } from './report/schema.ts'
import { figuresText, judgementText } from './report/text.ts'
import { checkOf, verdict } from './report/verdict.ts'
import { checkOutputs, writeReports } from './report/write.ts'
import { defaultRetryPolicy } from './retry-policy.ts'
import { Stats } from './stats.ts'

// The terminal, npm and tsx may each deliver the same Ctrl-C.
const sameKeypressMs = 250

type Signal = keyof typeof signalCodes

/** For what is left to read once the server has been silent for too long. */
const impatientPolicy = { attemptTimeoutMs: 3_000, totalMs: 3_000, initialDelayMs: 100, maxDelayMs: 500 }

export function main(args: string[]): Promise<void> {
  return runCommand(async () => {
    const [command, ...rest] = args
    if (command === 'compare') return print(compareCommand(rest))
    if (command === 'schema') return print([JSON.stringify(jsonSchema(), null, 2)])
    const requested = readOptions(args)
    if (requested.show === null) return run(requested.options)
    return print([requested.show === 'version' ? packageJson.version : help.trimEnd()])
  })
}

function print(lines: string[]): number {
  for (const line of lines) printLine(line)
  return 0
}

async function run(options: Options): Promise<number> {
  const { url, seed, isSeedGiven, json, report: html, ca } = options
  checkOutputs({ json, report: html })
  const startedAt = new Date()
  const stopping = new AbortController()
  const interruption = stopOnSignal(stopping)
  const stream = json === '-' ? process.stderr : process.stdout
  const display = openDisplay(stream)
  const size = { ...options, users: options.robots }

  await checkServer(url, ca)
  const crowd = `${grouped(size.users)} users, ${grouped(size.posts)} posts and ${grouped(size.reactions)} reactions each`
  display.print(`${crowd}, at ${url.href.replace(/\/$/, '')}, seed ${seed} (repeat with --seed ${seed})`)
  const version = await serverVersion(url, ca)
  const stats = new Stats()
  const measurements = new Measurements()
  const abandoning = new AbortController()
  const context: RunContext = {
    ...{ base: url, ca, retryPolicy: defaultRetryPolicy, stats, measurements },
    ...{ stop: stopping.signal, abandon: abandoning.signal },
    onUnresponsive: () => stopping.abort(),
  }
  const status = { robots: size.users, phase: null, checked: 0 }
  const endPulse = startPulse(measurements, status, display, () => {
    display.print('The server has not answered for 30 s: the run ends here.')
    context.retryPolicy = impatientPolicy
    stopping.abort()
    abandoning.abort()
    context.abandon = new AbortController().signal
  })
  const createIdentity = isSeedGiven ? identity : privateIdentity
  const findings = await runCrowd(
    seed,
    size,
    context,
    phasesIn(status, display, () => measurements.stop()),
    createIdentity,
  ).finally(endPulse)

  const signal = interruption()
  const report = buildReport({
    run: {
      startedAt: startedAt.toISOString(),
      endedAt: new Date().toISOString(),
      model: 'closed',
      interrupted: signal,
    },
    ...{ url: url.href, seed, options: shownOptions(options), serverVersion: version },
    ...{ figures: measurements.figures(), unexpected: stats.failures(), expectations: options.expect },
    isMeasurement: false,
    check: checkOf(findings, signal !== null),
  })
  const isSuccess = report.exit.code === 0
  const lines = verdict(findings, signal !== null)
  for (const line of ['', ...figuresText(report), '', ...lines.slice(0, -1)]) display.print(line)
  display.print(styleText(isSuccess ? 'green' : 'red', lines.at(-1) ?? '', { stream }))
  for (const line of judgementText(report)) display.print(line)
  writeReports(report, { json, report: html })
  return report.exit.code
}

/** What the report tells of the options: no certificate, and expectations as they were written. */
function shownOptions({ robots, posts, replies, follows, reactions, deletions, expect }: Options) {
  return { robots, posts, replies, follows, reactions, deletions, expect: expect.map(({ text }) => text) }
}

/** The first signal aborts `stopping`, the second exits at once. Returns a getter of the first signal. */
function stopOnSignal(stopping: AbortController): () => Signal | null {
  let signal: Signal | null = null
  let receivedAt = 0
  const receive = (name: Signal) => {
    if (signal !== null && performance.now() - receivedAt > sameKeypressMs) process.exit(signalCodes[name])
    if (signal !== null) return
    receivedAt = performance.now()
    signal = name
    stopping.abort()
    process.stderr.write('\nStopping: checking acknowledged writes first; press Ctrl-C again to exit at once.\n')
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => receive(name))
  return () => signal
}
