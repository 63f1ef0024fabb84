import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isReady, ownServer, type Program, start, startServer } from './own-server.ts'

process.exitCode = await demo(process.argv.slice(2))

/** A server on a throwaway database and free ports, the bot against it, the output of both. Returns the bot's exit code. */
async function demo(botArgs: string[]): Promise<number> {
  let atWork: Program | null = null
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      interrupted = true
      atWork?.child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal)
    })

  const directory = await mkdtemp(join(tmpdir(), 'rookery-demo-'))
  const { url, settings } = await ownServer(directory)
  const server = startServer(settings)
  atWork = server
  try {
    const ready = await isReady(url, server)
    if (interrupted) return 130
    if (!ready) return say('The server did not start.', 1)
    atWork = start('bot', ['bot/index.ts', ...botArgs, '--url', url], {})
    return (await atWork.ended) ?? 1
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
