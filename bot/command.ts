import { styleText } from 'node:util'
import type { RunContext } from './client.ts'
import { runCrowd } from './crowd.ts'
import { help, type Options, readOptions, UsageError } from './options.ts'
import { checkServer, PreflightError } from './preflight.ts'
import { showProgress } from './progress.ts'
import { grouped, isSuccess, table, verdict } from './report.ts'
import { defaultRetryPolicy } from './retry-policy.ts'
import { Stats } from './stats.ts'

const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }

// The terminal, npm and tsx may each pass on one and the same press, in milliseconds.
const samePress = 250

/** The bot's integerOption life: options, run, report, exit code. */
export async function main(args: string[]): Promise<void> {
  try {
    const options = readOptions(args)
    if (options.help) say(help.trimEnd())
    else process.exitCode = await run(options)
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof PreflightError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  }
}

async function run({ url, seed, ...size }: Options): Promise<number> {
  const stopping = new AbortController()
  const interruption = hearSignals(stopping)
  const stats = new Stats()
  const context: RunContext = {
    base: url,
    retryPolicy: defaultRetryPolicy,
    stats,
    stop: stopping.signal,
    onUnresponsive: () => stopping.abort(),
  }

  await checkServer(url)
  const crowd = `${grouped(size.users)} users, ${grouped(size.posts)} posts and ${grouped(size.reactions)} reactions each`
  say(`${crowd}, at ${url.origin}, seed ${seed} (repeat with --seed ${seed})`)
  const findings = await runCrowd(seed, size, context, showProgress(process.stdout))
  const failures = stats.failures()
  say('')
  for (const line of table(stats.rows(), stats.retries(), failures)) say(line)
  say('')
  const success = isSuccess(findings, failures)
  const lines = verdict(findings, interruption() !== null)
  for (const line of lines.slice(0, -1)) say(line)
  say(styleText(success ? 'green' : 'red', lines.at(-1) ?? '', { stream: process.stdout }))
  return interruption() ?? (success ? 0 : 1)
}

/** The first signal asks the crowd to stop, the second ends the process. Returns the exit code of the first, if any. */
function hearSignals(stopping: AbortController): () => number | null {
  let code: number | null = null
  let heard = 0
  for (const [name, exitCode] of Object.entries(signals)) {
    process.on(name, () => {
      const again = code !== null && performance.now() - heard > samePress
      if (again) process.exit(exitCode)
      if (code !== null) return
      heard = performance.now()
      code = exitCode
      stopping.abort()
      process.stderr.write('\nStopping: what was acknowledged is checked first; once more to leave at once.\n')
    })
  }
  return () => code
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
