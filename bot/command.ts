import { styleText } from 'node:util'
import packageJson from '../package.json' with { type: 'json' }
import { interruptedExitCodes, onShutdownSignal, type ShutdownSignal } from '../src/shutdown-signal.ts'
import type { Checker } from './check/checker.ts'
import { cleanCommand } from './clean/command.ts'
import { printLine, runCommand } from './cli.ts'
import type { RunContext } from './client.ts'
import { identity, newRun, privateIdentity } from './content.ts'
import { runCrowd } from './crowd.ts'
import { Misbehaviour } from './faults/misbehaviour.ts'
import { History } from './history/history.ts'
import { LedgerFile } from './history/ledger-file.ts'
import { LimitWatch } from './limits/limit-watch.ts'
import { plannedLoad } from './limits/planned-load.ts'
import type { ArrivalPlan } from './load/arrivals.ts'
import { Measurements } from './load/measurements.ts'
import { runOnly } from './load/only.ts'
import { help } from './options/help.ts'
import { type Options, readOptions } from './options/options.ts'
import { UsageError } from './options/parse.ts'
import { checkServer, serverVersion } from './preflight.ts'
import { buildReport } from './report/build.ts'
import { compareCommand } from './report/compare-command.ts'
import { openDisplay } from './report/display.ts'
import { grouped } from './report/format.ts'
import { phasesIn, startPulse } from './report/pulse.ts'
import { jsonSchema, type Report } from './report/schema.ts'
import { checkText, figuresText, judgementText } from './report/text.ts'
import { checkOf } from './report/verdict.ts'
import { checkOutputs, writeReports } from './report/write.ts'
import { defaultRetryPolicy } from './retry-policy.ts'
import { Stats } from './stats.ts'
import { verifyCommand } from './verify-command.ts'

const defaultSilenceMs = 30_000
/** For what is left to read once the server has been silent for too long. */
const impatientPolicy = { attemptTimeoutMs: 3_000, totalMs: 3_000, initialDelayMs: 100, maxDelayMs: 500 }

export function main(args: string[]): Promise<void> {
  return runCommand(async () => {
    const [command, ...rest] = args
    if (command === 'compare') return print(compareCommand(rest))
    if (command === 'verify') return verifyCommand(rest)
    if (command === 'clean') return cleanCommand(rest)
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
  const { seed, isSeedGiven, only, json, report: html, ca } = options
  checkOutputs({ json, report: html })
  const startedAt = new Date()
  const stopping = new AbortController()
  const interruption = stopOnSignal(stopping)
  const over = new AbortController()
  process.on('SIGUSR2', () => over.abort())
  const stream = json === '-' ? process.stderr : process.stdout
  const display = openDisplay(stream)

  const url = await checkServer(options.url, ca)
  const where = `at ${url.href.replace(/\/$/, '')}, seed ${seed} (repeat with --seed ${seed})`
  display.print(`${only ? describeOnly(only, options) : describeCrowd(options)}, ${where}`)
  const version = await serverVersion(url, ca)
  const { for: forMs, rate: ratePerSecond, ramp: rampMs } = options
  const size = { ...options, users: options.robots }
  const limits = new LimitWatch(plannedLoad({ seed, size, forMs, ratePerSecond }), display.print)
  if (!only) await limits.ask(url, ca)
  const stats = new Stats()
  const measurements = new Measurements()
  const abandoning = new AbortController()
  const abandon = { signal: abandoning.signal }
  const maxSilenceMs = options.silence ?? defaultSilenceMs
  const retryPolicy = { ...defaultRetryPolicy, totalMs: Math.max(defaultRetryPolicy.totalMs, maxSilenceMs) }
  const context: RunContext = {
    ...{ base: url, ca, retryPolicy, stats, history: new History() },
    ...{ stop: stopping.signal, abandon, limits, ...(options.faults && { misbehaviour: new Misbehaviour(seed) }) },
    onUnresponsive: () => stopping.abort(),
  }
  context.history.listen(measurements)
  const ledger = openLedger(options, url, startedAt)
  if (ledger) context.history.listen(ledger)
  const status = { robots: options.robots, phase: null, checked: 0 }
  const endPulse = startPulse(measurements, status, display, { maxSilenceMs, onSilence })
  function onSilence() {
    display.print(`The server has not answered for ${maxSilenceMs / 1000} s: the run ends here.`)
    Object.assign(context.retryPolicy, impatientPolicy)
    stopping.abort()
    abandoning.abort()
    abandon.signal = new AbortController().signal
  }
  const createIdentity = isSeedGiven ? identity : privateIdentity
  const check = await work().finally(() => {
    endPulse()
    ledger?.close()
  })
  measurements.stop()

  const signal = interruption()
  const report = buildReport({
    run: {
      ...{ startedAt: startedAt.toISOString(), endedAt: new Date().toISOString() },
      ...{ model: only || options.rate ? 'open' : 'closed', interrupted: signal },
    },
    ...{ url: url.href, seed, options: shownOptions(options), serverVersion: version, check },
    ...{
      figures: measurements.figures(),
      unexpected: stats.failures(),
      expectations: options.expect,
      limits: limits.sentences,
    },
    isMeasurement: !over.signal.aborted && (only !== undefined || options.for !== undefined),
  })
  for (const line of ['', ...figuresText(report), '', ...checkText(report)]) display.print(line)
  display.print(styleText(report.exit.code === 0 ? 'green' : 'red', check.summary, { stream }))
  for (const line of judgementText(report)) display.print(line)
  writeReports(report, { json, report: html })
  return report.exit.code

  async function work(): Promise<Report['check']> {
    if (only) {
      const plan = planOf(options)
      const { signal: stop } = stopping
      const runName = newRun()
      const createRobot = (index: number) => createIdentity(seed, index, runName)
      return runOnly({ only, base: url, ca, seed, createIdentity: createRobot, plan, measurements, stop })
    }
    const phases = phasesIn(status, display, (name) => {
      if (name === 'verify') measurements.stop()
      if (name === 'day' && options.for !== undefined) setTimeout(() => measurements.start(), options.ramp ?? 0).unref()
    })
    const { alone } = options
    const onChecker = (checker: Checker) => {
      measurements.mayBeGone = (register) => checker.mayBeGone(register)
    }
    const conditions = {
      onChecker,
      onArrival: (due: number, startedAt: number) => measurements.arrived(due, startedAt),
      ...{
        over: over.signal,
        alone,
        ...(forMs && { forMs }),
        ...(ratePerSecond && { ratePerSecond }),
        ...(rampMs && { rampMs }),
      },
    }
    const findings = await runCrowd(seed, size, context, phases, createIdentity, conditions)
    return checkOf(findings)
  }
}

/** @throws UsageError unless the file is new */
function openLedger(options: Options, url: URL, startedAt: Date): LedgerFile | null {
  const { ledger, seed, isSeedGiven, alone } = options
  if (ledger === undefined) return null
  try {
    return new LedgerFile(ledger, {
      ...{ seed, isSeedGiven, url: url.href, alone },
      ...{ options: shownOptions(options), startedAt: startedAt.toISOString() },
    })
  } catch {
    throw new UsageError(
      `--ledger ${ledger} cannot be written: it must be a new file in a folder that you may write to.`,
    )
  }
}

function planOf({ rate = 100, for: forMs = 20_000, ramp: rampMs = 0 }: Options): ArrivalPlan {
  return { rate, forMs, rampMs }
}

function describeOnly(only: string, options: Options): string {
  const { rate, forMs, rampMs } = planOf(options)
  return `${only}: ${grouped(rate)} arrivals a second for ${forMs / 1000} s${rampMs > 0 ? ` after a ramp of ${rampMs / 1000} s` : ''}`
}

function describeCrowd({ robots, posts, reactions, for: forMs, rate }: Options): string {
  if (forMs !== undefined)
    return `${grouped(robots)} users for ${forMs / 1000} s${rate ? `, ${grouped(rate)} requests a second` : ''}`
  return `${grouped(robots)} users, ${grouped(posts)} posts and ${grouped(reactions)} reactions each`
}

/** What the report tells of the options: no certificate, and expectations as they were written. */
function shownOptions(options: Options): Report['options'] {
  const expect = options.expect.map(({ text }) => text)
  const { robots, posts, replies, follows, reactions, deletions, only } = options
  const { alone, faults, rate: ratePerSecond, for: duration, ramp = 0 } = options
  const size = { posts, replies, follows, reactions, deletions }
  const time = { for: `${duration}ms`, ...(ratePerSecond && { rate: ratePerSecond, ramp: `${ramp}ms` }) }
  if (!only) return { robots, ...(duration === undefined ? size : time), alone, faults, expect }
  const { rate, forMs, rampMs } = planOf(options)
  return { only, rate, for: `${forMs}ms`, ramp: `${rampMs}ms`, expect }
}

/** The first signal aborts `stopping`, the second exits at once. Returns a getter of the first signal. */
function stopOnSignal(stopping: AbortController): () => ShutdownSignal | null {
  let received: ShutdownSignal | null = null
  const stop = (signal: ShutdownSignal) => {
    received = signal
    stopping.abort()
    process.stderr.write('\nStopping: checking acknowledged writes first; press Ctrl-C again to exit at once.\n')
  }
  onShutdownSignal(stop, (signal) => process.exit(interruptedExitCodes[signal]), ['SIGINT', 'SIGTERM', 'SIGHUP'])
  return () => received
}
