import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { glob, rm, statfs } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { grantEveryDatabase } from '../src/embedded-mongod/admin.ts'
import { findMongod } from '../src/embedded-mongod/find-binary.ts'
import { startEmbeddedMongod } from '../src/embedded-mongod/start.ts'
import { StartError } from '../src/start-error.ts'
import { temporaryFolder } from '../src/temporary-folder.ts'
import { runsBehindGateway } from './gateway-files.ts'
import { failure, type Outcome, testProcess } from './test-process.ts'

const help = `Usage: npm run test:file -- [--slow | --all | --gateway] [--coverage] [FILE...]

Runs test files in several processes, each of which takes one file after another. Without a FILE it runs all but
test/**/*.slow.test.ts, which kill processes, start servers and clusters, download, or drive browsers and clients in
other languages. Each slow file has a process of its own. "cpu" is the CPU time of a file's process, without mongod and
the programs that it starts.

  --slow      only those
  --all       every file
  --gateway   the tests of the HTTP API, against both services behind nginx instead of one server
  --coverage  show which lines of src/ and bot/ the tests reach
`

const root = fileURLToPath(new URL('..', import.meta.url))
const username = 'rookery-test'
const log = { info: tell, warn: tell, error: tell }
/** The time limit of a file: the test that is running then fails. One slow file waits for 5 minutes. */
const fileTimeoutSeconds = { fast: 240, slow: 480 }
/** They take longest: begun first, so that none of them runs alone at the end. */
const longFolders = [
  'test/limits',
  'test/reconcile',
  'test/accounts',
  'test/credentials',
  'test/writer',
  'test/sessions',
]
/** Most tests wait most of their time; slow ones start processes of their own. */
const maxProcesses = { fast: 3 * availableParallelism(), slow: availableParallelism() }

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      slow: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      gateway: { type: 'boolean', default: false },
      coverage: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) process.stdout.write(help)
  else {
    if (values.gateway) process.env.TEST_GATEWAY = 'nginx'
    process.exitCode = await runTests(positionals.length > 0 ? positionals : await selectFiles(values), values.coverage)
  }
} catch (error) {
  tell(error instanceof StartError ? error.message : String(error instanceof Error ? error.stack : error))
  process.exitCode = 1
}

function isSlow(file: string): boolean {
  return file.endsWith('.slow.test.ts')
}

type Selection = { slow: boolean; all: boolean; gateway: boolean }

async function selectFiles({ slow, all, gateway }: Selection): Promise<string[]> {
  const files: string[] = []
  for await (const file of glob('test/**/*.test.ts', { cwd: root })) files.push(file)
  if (gateway) return files.filter(runsBehindGateway).sort()
  return files.filter((file) => all || isSlow(file) === slow).sort()
}

/**
 * Starts one MongoDB for the whole run; each test takes a database of its own in it.
 * @returns the exit code.
 */
async function runTests(files: string[], coverage: boolean): Promise<number> {
  const { path } = await findMongod({
    explicit: process.env.MONGOD_BINARY,
    cacheDir: process.env.XDG_CACHE_HOME && join(process.env.XDG_CACHE_HOME, 'rookery'),
    log,
  })
  const folder = await temporaryFolder('rookery-test-', await fastTemporaryDir())
  const password = randomBytes(18).toString('base64url')
  try {
    const mongod = await startEmbeddedMongod({
      dataDir: join(folder, 'data'),
      username,
      password,
      mongodBinary: path,
      log,
    })
    try {
      await mongod.administer((admin) => grantEveryDatabase(admin, username))
      const env = {
        TEST_MONGODB_URI: mongod.uri,
        TEST_DB_USER: username,
        TEST_DB_PASSWORD: password,
        TEST_MONGOD_BINARY: path,
        // What a test server writes, such as mails.
        TEST_DATA_DIR: join(folder, 'servers'),
        TEST_MONGOD_KEY_FILE: join(folder, 'data', 'mongod', 'key'),
        // Each process would compile the same modules.
        ...(coverage
          ? { NODE_V8_COVERAGE: join(folder, 'coverage') }
          : { NODE_COMPILE_CACHE: join(folder, 'compiled') }),
      }
      const total = await runAll(files, env)
      if (coverage) await reportCoverage(join(folder, 'coverage'))
      process.stdout.write(`# ${Math.round(total.cpuMs / 1_000)} s of CPU\n`)
      process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`)
      return total.failed === 0 ? 0 : 1
    } finally {
      await mongod.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Linux's memory file system if it has room for the databases: every test creates collections, which syncs files. */
async function fastTemporaryDir(): Promise<string | undefined> {
  const { bavail, bsize } = await statfs('/dev/shm').catch(() => ({ bavail: 0, bsize: 0 }))
  return bavail * bsize > 2 * 2 ** 30 ? '/dev/shm' : undefined
}

/** Idle files wait for minutes and need next to no CPU time: they run beside the slow ones. */
function kindOf(file: string): 'fast' | 'slow' | 'idle' {
  if (file.endsWith('.idle.slow.test.ts')) return 'idle'
  return isSlow(file) ? 'slow' : 'fast'
}

function longestFirst(files: readonly string[]): string[] {
  const isLong = (file: string) => longFolders.includes(dirname(file))
  return [...files.filter(isLong), ...files.filter((file) => !isLong(file))]
}

async function runAll(files: string[], env: NodeJS.ProcessEnv) {
  const total = { passed: 0, failed: 0, cpuMs: 0 }
  let [count, processes] = [0, 0]
  const tellResult = (file: string, outcome: Outcome, startedAt: number) => {
    const { passed, failed, skipped, cpuMs, output } = outcome
    total.passed += passed
    total.failed += failed
    total.cpuMs += cpuMs
    count += 1
    const notes = [
      `time=${Math.round(performance.now() - startedAt)}ms`,
      `cpu=${cpuMs}ms`,
      ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ]
    process.stdout.write(`${failed > 0 ? `${output}not ` : ''}ok ${count} - ${file} # ${notes.join(', ')}\n`)
  }
  /** Runs files of the queue in one process, until it ends, the queue is empty, or `most` have run. */
  const runSome = async (queue: Iterator<string>, kind: keyof typeof fileTimeoutSeconds, most: number) => {
    let next = queue.next()
    if (next.done) return false
    processes += 1
    let runner = testProcess(`${kind}-${processes}`, env, fileTimeoutSeconds[kind])
    stopping.signal.addEventListener('abort', runner.kill)
    for (let ran = 1; !next.done; ran += 1) {
      const startedAt = performance.now()
      let outcome = await runner.run(next.value)
      if (outcome.passed + outcome.failed + outcome.skipped === 0) {
        // tap has ended its root between two files, which is rare: another process takes the file.
        await runner.close()
        processes += 1
        runner = testProcess(`${kind}-${processes}`, env, fileTimeoutSeconds[kind])
        stopping.signal.addEventListener('abort', runner.kill)
        outcome = await runner.run(next.value)
      }
      tellResult(next.value, outcome, startedAt)
      if (ran === most || runner.hasEnded() || stopping.signal.aborted) break
      next = queue.next()
    }
    if (!runner.hasEnded()) {
      const output = await runner.close()
      if (output) tellResult('the end of a process', { ...failure, output }, performance.now())
    }
    stopping.signal.removeEventListener('abort', runner.kill)
    return !stopping.signal.aborted
  }
  const runQueue = async (queue: Iterator<string>, kind: keyof typeof fileTimeoutSeconds, most: number) => {
    while (await runSome(queue, kind, most));
  }
  const { fast = [], slow = [], idle = [] } = Object.groupBy(files, kindOf)
  process.stdout.write(`1..${files.length}\n`)
  const [fastFiles, slowFiles, idleFiles] = [longestFirst(fast).values(), slow.values(), idle.values()]
  await Promise.all(Array.from({ length: maxProcesses.fast }, () => runQueue(fastFiles, 'fast', Infinity)))
  const slowQueues = Array.from({ length: maxProcesses.slow }, () => runQueue(slowFiles, 'slow', 1))
  await Promise.all([...slowQueues, runQueue(idleFiles, 'slow', 1)])
  return total
}

async function reportCoverage(folder: string): Promise<void> {
  const c8 = [join(root, 'node_modules', '.bin', 'c8'), 'report', '--temp-directory', folder]
  const options = { cwd: root, stdio: 'inherit' } as const
  await once(spawn(process.execPath, [...c8, '--include', 'src/**', '--include', 'bot/**'], options), 'close')
}

function tell(message: string): void {
  process.stderr.write(`${message}\n`)
}
