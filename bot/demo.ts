import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { allocateServer, forwardSignals, spawnProgram, spawnServer, waitUntilReady } from './spawn-server.ts'

process.exitCode = await demo(process.argv.slice(2))

/** A server on a throwaway database and free ports, the bot against it, the output of both. Returns the bot's exit code. */
async function demo(botArgs: string[]): Promise<number> {
  const signals = forwardSignals()
  const directory = await mkdtemp(join(tmpdir(), 'rookery-demo-'))
  const { url, settings } = await allocateServer(directory)
  const server = spawnServer(settings)
  signals.activeChild = server
  try {
    const ready = await waitUntilReady(url, server)
    if (signals.interrupted) return 130
    if (!ready) return say('The server did not start.', 1)
    const bot = spawnProgram('bot', ['bot/index.ts', ...botArgs, '--url', url], {})
    signals.activeChild = bot
    return (await bot.ended) ?? 1
  } finally {
    server.child.kill('SIGTERM')
    await server.ended
    await rm(directory, { recursive: true, force: true })
  }
}

function say(line: string, exitCode: number): number {
  process.stderr.write(`${line}\n`)
  return exitCode
}
