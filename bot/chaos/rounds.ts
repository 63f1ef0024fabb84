import { once } from 'node:events'
import { printLine } from '../cli.ts'
import {
  type ChildProgram,
  type forwardSignals,
  type LocalServer,
  spawnProgram,
  waitUntilReady,
} from '../spawn-server.ts'
import type { ChaosOptions } from './options.ts'
import { seconds } from './random-time.ts'
import { describeMissing, describeTally, type FaultRotation } from './rotation.ts'

type RoundResult = { outcome: 'passed' | 'interrupted' } | { outcome: 'failed'; reason: string }
type Signals = ReturnType<typeof forwardSignals>

/** Runs all rounds on one server. Returns the exit code. */
export async function runRounds(
  server: LocalServer,
  rotation: FaultRotation,
  { rounds, botArgs, seed }: Pick<ChaosOptions, 'rounds' | 'botArgs' | 'seed'>,
  signals: Signals,
): Promise<number> {
  let passed = 0
  const startedAt = performance.now()
  if (!(await waitUntilReady(server))) printLine('The server did not start.')
  else {
    printLine(`${new Date().toISOString()} started; ready after ${seconds(performance.now() - startedAt)}`)
    for (let round = 1; round <= rounds && !signals.interrupted; round += 1) {
      // After a step of the clock, a second run with the same accounts could not tell its posts from earlier ones.
      const args = [...botArgs, '--seed', String(seed + round - 1)]
      const result = await runRound(server, rotation, args, signals)
      if (result.outcome === 'passed') passed += 1
      const reason = result.outcome === 'failed' ? `: ${result.reason}` : ''
      printLine(`Round ${round} of ${rounds} ${result.outcome}${reason}`)
    }
    printLine(`${passed} of ${rounds} rounds passed`)
  }
  if (signals.interrupted) return 130
  return passed === rounds ? 0 : 1
}

async function runRound(
  server: LocalServer,
  rotation: FaultRotation,
  botArgs: string[],
  signals: Signals,
): Promise<RoundResult> {
  const start = (name: string, args: string[], settings: Record<string, string>): ChildProgram => {
    signals.activeChild = spawnProgram({ name }, args, settings)
    return signals.activeChild
  }
  const bot = start('bot', ['bot/index.ts', ...botArgs, '--url', server.url], {})
  // The bot prints its first line when it has found the server, without which it does not start.
  await Promise.race([bot.child.stdout && once(bot.child.stdout, 'data'), bot.ended])
  const botEnded = new AbortController()
  const [code, tally] = await Promise.all([
    bot.ended.finally(() => botEnded.abort()),
    rotation.run(botEnded.signal).then(
      (tally) => {
        bot.child.kill('SIGUSR2')
        return tally
      },
      (error: Error) => {
        bot.child.kill('SIGTERM')
        return error
      },
    ),
  ])
  if (tally instanceof Error) return { outcome: 'failed', reason: tally.message }
  printLine(`Faults: ${describeTally(tally)}`)
  if (signals.interrupted) return { outcome: 'interrupted' }
  const missing = describeMissing(tally)
  const reasons = [...(code === 0 ? [] : [`the bot exited with ${code}`]), ...(missing === null ? [] : [missing])]
  if (reasons.length > 0) return { outcome: 'failed', reason: reasons.join('; ') }
  const drift = await start('recount', ['run.mjs', 'src/cli/reconcile.ts'], server.settings).ended
  return drift === 0 ? { outcome: 'passed' } : { outcome: 'failed', reason: `the recount exited with ${drift}` }
}
