import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { logOutput } from '../../src/operations/log-output.ts'
import { eventually } from '../eventually.ts'

async function freshFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-log-'))
  t.teardown(() => rm(folder, { recursive: true }))
  return folder
}

/** A pipe that does not block, and that is read when `read` is called only. */
async function openPipe(t: Test) {
  const path = join(await freshFolder(t), 'pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.teardown(() => closeSync(fd))
  const buffer = Buffer.alloc(1024 * 1024)
  let text = ''
  const read = () => {
    try {
      text += buffer.toString('utf8', 0, readSync(fd, buffer))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
    }
    return text
  }
  return { fd, read }
}

t.test('lines beyond the bound are lost while the reader stalls, the others come whole and in order', async (t) => {
  const { fd, read } = await openPipe(t)
  const output = logOutput({ fd }, { maxBytes: 500_000 })
  const lost: number[] = []
  output.onLost((lines) => {
    lost.push(lines)
    output.write('lines were lost\n')
  })
  const line = (n: number) => `${n} ${'é'.repeat(100)}\n`
  for (let n = 0; n < 10_000; n++) output.write(line(n))
  await eventually(() => read().endsWith('lines were lost\n'))
  const lines = read().split('\n').slice(0, -2)
  t.same(
    lines,
    lines.map((_, n) => line(n).trimEnd()),
  )
  t.ok(lines.length * line(1_000).length > 200_000, `${lines.length} lines`)
  t.same(lost, [10_000 - lines.length])

  output.write('after that\n')
  await eventually(() => read().endsWith('after that\n'))
  t.equal(lost.length, 1, 'said once')
})

/** A program that has `log`, as a production server has it. */
const sourceOf = (program: string, isReadable = false) =>
  `import { createLogger } from '${new URL('../../src/operations/logging.ts', import.meta.url).href}'
    const log = createLogger({ level: 'info', readable: ${isReadable} })
    ${program}`

/** Runs such a program with its standard output in a file or a socket. */
async function run(program: string, stdout: number | 'pipe', isReadable = false) {
  const source = sourceOf(program, isReadable)
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', stdout, 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  let [out, error] = ['', '']
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    error += chunk.toString()
  })
  const [code, signal] = await once(child, 'close')
  return { code, signal, out, error }
}

const manyLines = "for (let n = 0; n < 3_000; n++) log.info({ n, pad: 'x'.repeat(100) }, 'a line')\n"

t.test('every line before process.exit(1) arrives, in a pipe and in a file', async (t) => {
  const program = `${manyLines} process.exit(1)`
  const numbers = (out: string) =>
    out
      .trimEnd()
      .split('\n')
      .map((line): number => JSON.parse(line).n)
  const all = Array.from({ length: 3_000 }, (_, n) => n)
  const piped = await run(program, 'pipe')
  t.match(piped, { code: 1, error: '' })
  t.same(numbers(piped.out), all)
  const path = join(await freshFolder(t), 'log')
  const file = openSync(path, 'a')
  t.teardown(() => closeSync(file))
  t.match(await run(program, file), { code: 1, error: '' })
  t.same(numbers(readFileSync(path, 'utf8')), all)
})

t.test(
  'lines of several processes in one pipe, whose reader stalls, are all there and not cut into each other',
  async (t) => {
    const source = sourceOf(`${manyLines} process.exit(1)`)
    const program = '"$0" --input-type=module --eval "$1"'
    const script = `{ ${program} & ${program} & wait; } | { sleep 1; cat; }`
    const child = spawn('sh', ['-c', script, process.execPath, source], { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    for await (const chunk of child.stdout) out += chunk
    const lines = out.trimEnd().split('\n')
    t.equal(lines.length, 6_000)
    t.ok(lines.every((line) => JSON.parse(line).msg === 'a line'))
  },
)

t.test('the last readable line before process.exit(1) arrives', async (t) => {
  const { out } = await run("log.error('the last line'); process.exit(1)", 'pipe', true)
  t.match(out, /the last line\n$/)
})

for (const isReadable of [false, true])
  t.test(`a full disk loses the lines, and no exit waits for it; readable: ${isReadable}`, async (t) => {
    const full = openSync('/dev/full', 'w')
    t.teardown(() => closeSync(full))
    const turns = `for (let n = 0; n < 4; n++) {
        ${manyLines} await new Promise((resolve) => setTimeout(resolve, 10))
      }\n`
    t.match(await run(`${turns} ${manyLines} process.exit(3)`, full, isReadable), { code: 3, error: '' })
    t.match(await run(turns, full, isReadable), { code: 0, error: '' }, 'nor does the end of the program')
  })

t.test('an exit does not wait for a reader that stalls', async (t) => {
  const { fd } = await openPipe(t)
  t.match(await run(`${manyLines} setTimeout(() => process.exit(3), 100)`, fd), { code: 3, error: '' })
})
