import { closeSync, openSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { interruptedExitCodes } from '../src/shutdown-signal.ts'
import { printLine, runCommand } from './cli.ts'
import { help } from './options/help.ts'
import { readOptions } from './options/options.ts'
import { UsageError } from './options/parse.ts'
import {
  forwardSignals,
  spawnProgram,
  waitUntilReady,
  withLocalServer,
  withTemporaryDirectory,
} from './spawn-server.ts'

const shownLogLines = 20

await runCommand(async () => {
  const args = process.argv.slice(2)
  const requested = readOptions(args)
  if (requested.show === null) return demo(args, requested.options.json === '-')
  printLine(help.trimEnd())
  return 0
})

/**
 * Runs the bot against a temporary server, whose log goes to a file. Returns the bot's exit code, or that of an earlier
 * interrupt; the log stays unless the bot succeeded or was interrupted.
 */
async function demo(botArgs: string[], isReportPrinted: boolean): Promise<number> {
  if (botArgs.some((arg) => arg.startsWith('--url')))
    throw new UsageError('Leave out --url: the demo starts a server of its own.')
  const signals = forwardSignals()
  return withTemporaryDirectory('demo', async (directory) => {
    const path = join(tmpdir(), `rookery-demo-${new Date().toISOString().replaceAll(':', '')}-${process.pid}.log`)
    const log = openSync(path, 'wx', 0o600)
    const output = isReportPrinted ? process.stderr : process.stdout
    output.write(`Starting a server; its log is ${path}\n`)
    const code = await withLocalServer(
      directory,
      {},
      async (server) => {
        signals.activeChild = server.program
        const ready = await waitUntilReady(server)
        if (signals.interrupted) return interruptedExitCodes[signals.interrupted]
        if (!ready) {
          const lines = (await readFile(path, 'utf8')).trimEnd().split('\n').slice(-shownLogLines)
          process.stderr.write(`The server did not start; its log ends with:\n${lines.join('\n')}\n`)
          return 2
        }
        const bot = spawnProgram('inherit', ['bot/index.ts', ...botArgs, '--url', server.url], {})
        signals.activeChild = bot
        const ended = await bot.ended
        signals.activeChild = server.program
        return ended ?? 1
      },
      log,
    )
    closeSync(log)
    const isInterrupted = Object.values(interruptedExitCodes).some((interrupted) => interrupted === code)
    if (code === 0 || isInterrupted) await rm(path)
    else output.write(`The server's log is in ${path}\n`)
    return code
  })
}
