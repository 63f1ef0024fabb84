import { cp } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { printLine, runCommand } from '../../bot/cli.ts'
import { withTemporaryDirectory } from '../../bot/spawn-server.ts'
import { interruptedExitCodes, onShutdownSignal, type ShutdownSignal } from '../../src/shutdown-signal.ts'
import type { FaultName } from './faults.ts'
import { help, readOptions } from './options.ts'
import { runFaults } from './run.ts'

await runCommand(async () => {
  const { names, logs, isHelp } = readOptions(process.argv.slice(2))
  if (!isHelp) return run(names, logs)
  process.stdout.write(help)
  return 0
})

async function run(names: readonly FaultName[], logs: string | undefined): Promise<number> {
  const stopping = new AbortController()
  let interrupted: ShutdownSignal | undefined
  const stop = (signal: ShutdownSignal) => {
    interrupted = signal
    stopping.abort()
  }
  onShutdownSignal(stop, (signal) => process.exit(interruptedExitCodes[signal]))
  const total = await withTemporaryDirectory('failure', async (folder) => {
    const counted = await runFaults(names, folder, stopping.signal)
    if (logs !== undefined) await keepLogs(folder, logs)
    return counted
  })
  if (interrupted) return interruptedExitCodes[interrupted]
  printLine(`${total.passed} passed, ${total.failed} failed`)
  return total.failed === 0 ? 0 : 1
}

/** Copies the files of the folder, without the data in its folders. */
async function keepLogs(folder: string, logs: string): Promise<void> {
  const isKept = (path: string) =>
    path === folder || (dirname(path) === folder && ['.log', '.json', '.ledger'].includes(extname(path)))
  await cp(folder, logs, { recursive: true, filter: isKept })
}
