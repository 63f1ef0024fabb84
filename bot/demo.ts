import { runCommand } from './cli.ts'
import {
  forwardSignals,
  spawnProgram,
  waitUntilReady,
  withLocalServer,
  withTemporaryDirectory,
} from './spawn-server.ts'

await runCommand(() => demo(process.argv.slice(2)))

/** Runs the bot against a temporary server. Returns the bot's exit code, or 130 after an earlier interrupt. */
async function demo(botArgs: string[]): Promise<number> {
  const signals = forwardSignals()
  return withTemporaryDirectory('demo', (directory) =>
    withLocalServer(directory, {}, async (server) => {
      signals.activeChild = server.program
      const ready = await waitUntilReady(server)
      if (signals.interrupted) return 130
      if (!ready) {
        process.stderr.write('The server did not start.\n')
        return 1
      }
      const bot = spawnProgram('bot', ['bot/index.ts', ...botArgs, '--url', server.url], {})
      signals.activeChild = bot
      const code = await bot.ended
      signals.activeChild = server.program
      return code ?? 1
    }),
  )
}
