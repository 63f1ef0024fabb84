import { execFile, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { waitUntilReady, withLocalServer, withTemporaryDirectory } from '../../bot/spawn-server.ts'

const help = `Usage: npm run bench:validity -- [--runs <n>] [--seconds <n>] [--only idle|busy]

Runs the bot at 200 requests a second against a server of its own: alone on this machine, where its figures must be valid, and
beside one busy loop for each core, where they must not be (exit code 5). Prints the exit codes. Nothing else may run at the same time.
Defaults: 10 runs of 10 s, both. Exit code: 0 all are as they must be, 1 otherwise.
`

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '10' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const invalidFigures = 5
const halves = [
  { name: 'idle', hogs: 0, mustBe: (code: number) => code === 0 },
  { name: 'busy', hogs: availableParallelism(), mustBe: (code: number) => code === invalidFigures },
].filter(({ name }) => values.only === undefined || values.only === name)

if (values.help) process.stdout.write(help)
else
  await withTemporaryDirectory('validity', (directory) =>
    withLocalServer(directory, { LOG_LEVEL: 'silent' }, async (server) => {
      if (!(await waitUntilReady(server))) throw new Error('The server did not start.')
      for (const { name, hogs, mustBe } of halves) {
        const runs = await beside(hogs, () => runBots(server.url))
        const codes = runs.map(({ code }) => code)
        const right = codes.filter(mustBe).length
        const lines = runs.filter(({ code }) => !mustBe(code)).flatMap(({ invalid }) => invalid)
        for (const line of lines) process.stdout.write(`${name}: ${line}\n`)
        if (right < codes.length) process.exitCode = 1
        process.stdout.write(`${name}: ${right} of ${codes.length} as they must be; exit codes ${codes.join(' ')}\n`)
      }
    }),
  )

async function beside<T>(hogs: number, use: () => Promise<T>): Promise<T> {
  const loops = Array.from({ length: hogs }, () => spawn(process.execPath, ['--eval', 'for (;;);']))
  try {
    return await use()
  } finally {
    for (const loop of loops) loop.kill()
  }
}

/** An exit code, and the lines that say why the figures are invalid. */
type BotRun = { code: number; invalid: string[] }

async function runBots(url: string): Promise<BotRun[]> {
  const args = ['--only', 'read-post', '--rate', '200', '--for', `${values.seconds}s`, '--ramp', '2s', '--url', url]
  const runs: BotRun[] = []
  for (let run = 0; run < Number(values.runs); run += 1) runs.push(await runBot(['bot/index.ts', ...args]))
  return runs
}

function runBot(command: string[]): Promise<BotRun> {
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) => {
      const invalid = `${stdout}\n${stderr}`
        .split('\n')
        .filter((line) => /invalid|own event loop|of a core|waited/.test(line))
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, invalid })
    })
  })
}
