import { execFile, spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { waitUntilReady, withLocalServer, withTemporaryDirectory } from '../../bot/spawn-server.ts'

const runs = Number(process.argv[2] ?? 10)
const args = ['bot/index.ts', '--only', 'read-post', '--rate', '200', '--for', '10s', '--ramp', '2s', '--url']

/** Runs the bot on an idle machine and beside one busy loop for each core. Prints the exit codes: 5 is for invalid figures. */
await withTemporaryDirectory('validity', (directory) =>
  withLocalServer(directory, { LOG_LEVEL: 'silent' }, async (server) => {
    if (!(await waitUntilReady(server))) throw new Error('The server did not start.')
    for (const isBusy of [false, true]) {
      const hogs = isBusy ? cpus().map(() => spawn(process.execPath, ['--eval', 'for (;;);'])) : []
      const codes: number[] = []
      for (let run = 0; run < runs; run += 1) codes.push(await exitCode([...args, server.url]))
      for (const hog of hogs) hog.kill()
      process.stdout.write(`${isBusy ? 'beside busy loops' : 'alone'}: exit codes ${codes.join(' ')}\n`)
    }
  }),
)

function exitCode(command: string[]): Promise<number> {
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error) => resolve(typeof error?.code === 'number' ? error.code : 0))
  })
}
