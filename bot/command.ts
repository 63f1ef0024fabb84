import { styleText } from 'node:util'
import { printLine, runCommand } from './cli.ts'
import type { RunContext } from './client.ts'
import { identity, privateIdentity } from './content.ts'
import { runCrowd } from './crowd.ts'
import { History } from './history/history.ts'
import { help, type Options, readOptions } from './options.ts'
import { checkServer } from './preflight.ts'
import { showProgress } from './progress.ts'
import { grouped, isSuccess, table, verdict } from './report.ts'
import { defaultRetryPolicy } from './retry-policy.ts'
import { Stats } from './stats.ts'

const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }

// The terminal, npm and tsx may each deliver the same Ctrl-C.
const sameKeypressMs = 250

export function main(args: string[]): Promise<void> {
  return runCommand(async () => {
    const options = readOptions(args)
    if (!options.help) return run(options)
    process.stdout.write(help)
    return 0
  })
}

async function run({ url, seed, isSeedGiven, ...size }: Options): Promise<number> {
  const stopping = new AbortController()
  const interruption = stopOnSignal(stopping)
  const stats = new Stats()
  const context: RunContext = {
    base: url,
    retryPolicy: defaultRetryPolicy,
    stats,
    history: new History(),
    stop: stopping.signal,
    onUnresponsive: () => stopping.abort(),
  }

  await checkServer(url)
  const crowd = `${grouped(size.users)} users, ${grouped(size.posts)} posts and ${grouped(size.reactions)} reactions each`
  printLine(`${crowd}, at ${url.origin}, seed ${seed} (repeat with --seed ${seed})`)
  const createIdentity = isSeedGiven ? identity : privateIdentity
  const findings = await runCrowd(seed, size, context, showProgress(process.stdout), createIdentity)
  const failures = stats.failures()
  printLine('')
  for (const line of table(stats.rows(), stats.retries(), failures)) printLine(line)
  printLine('')
  const success = isSuccess(findings, failures)
  const lines = verdict(findings, interruption() !== null)
  for (const line of lines.slice(0, -1)) printLine(line)
  printLine(styleText(success ? 'green' : 'red', lines.at(-1) ?? '', { stream: process.stdout }))
  return interruption() ?? (success ? 0 : 1)
}

/** The first signal aborts `stopping`, the second exits at once. Returns a getter of the first signal's exit code. */
function stopOnSignal(stopping: AbortController): () => number | null {
  let code: number | null = null
  let receivedAt = 0
  for (const [name, exitCode] of Object.entries(exitCodes)) {
    process.on(name, () => {
      if (code !== null && performance.now() - receivedAt > sameKeypressMs) process.exit(exitCode)
      if (code !== null) return
      receivedAt = performance.now()
      code = exitCode
      stopping.abort()
      process.stderr.write('\nStopping: checking acknowledged writes first; press Ctrl-C again to exit at once.\n')
    })
  }
  return () => code
}
