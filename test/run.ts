import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { glob, rm, statfs } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { grantEveryDatabase } from '../src/embedded-mongod/admin.ts'
import { findMongod } from '../src/embedded-mongod/find-binary.ts'
import { startEmbeddedMongod } from '../src/embedded-mongod/start.ts'
import { StartError } from '../src/start-error.ts'
import { temporaryFolder } from '../src/temporary-folder.ts'
import { runsBehindGateway } from './gateway-files.ts'

const help = `Usage: npm run test:file -- [--slow | --all | --gateway] [--coverage] [FILE...]

Runs test files: several of one folder share a process, and several processes run concurrently. Without a FILE it runs
all but test/**/*.slow.test.ts, which kill processes, start servers and clusters, download, or drive browsers and
clients in other languages. Each slow file has a process of its own.

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
/** Files share a process because loading the server takes more CPU time than most of their tests. */
const maxFilesPerProcess = 6
/** Most tests wait most of their time; slow ones start processes of their own. */
const maxProcesses = { fast: 3 * availableParallelism(), slow: availableParallelism() }

type Outcome = { passed: number; failed: number; skipped: number; output: string }

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
        TEST_MONGOD_KEY_FILE: join(folder, 'data', 'mongod', 'key'),
        // Each process would compile the same modules.
        ...(coverage
          ? { NODE_V8_COVERAGE: join(folder, 'coverage') }
          : { NODE_COMPILE_CACHE: join(folder, 'compiled') }),
      }
      const total = await runAll(files, env)
      if (coverage) await reportCoverage(join(folder, 'coverage'))
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
async function fastTemporaryDir(): Promise<string> {
  const { bavail, bsize } = await statfs('/dev/shm').catch(() => ({ bavail: 0, bsize: 0 }))
  return bavail * bsize > 2 * 2 ** 30 ? '/dev/shm' : tmpdir()
}

/** The files of one process. The name is a shell pattern that matches them. */
type Batch = { name: string; files: string[] }

function batchesOf(files: string[]): Batch[] {
  const folders = [...Map.groupBy(files, (file) => dirname(file))]
  const isLong = ([folder]: [string, string[]]) => longFolders.includes(folder)
  const ordered = [...folders.filter(isLong), ...folders.filter((entry) => !isLong(entry))]
  return ordered.flatMap(([folder, all]) => {
    const [first = ''] = all
    if (all.length === 1) return { name: first, files: all }
    const count = Math.ceil(all.length / maxFilesPerProcess)
    return Array.from({ length: count }, (_, n) => {
      const slice = all.slice((n * all.length) / count, ((n + 1) * all.length) / count)
      return { name: `${folder}/{${slice.map((file) => basename(file, '.test.ts'))}}.test.ts`, files: slice }
    })
  })
}

function batchOf(file: string): Batch {
  return { name: file, files: [file] }
}

/** Idle files wait for minutes and need next to no CPU time: they run beside the slow ones. */
function kindOf(file: string): 'fast' | 'slow' | 'idle' {
  if (file.endsWith('.idle.slow.test.ts')) return 'idle'
  return isSlow(file) ? 'slow' : 'fast'
}

async function runAll(files: string[], env: NodeJS.ProcessEnv) {
  const total = { passed: 0, failed: 0 }
  const { fast = [], slow = [], idle = [] } = Object.groupBy(files, kindOf)
  const phases = [
    { batches: batchesOf(fast), idle: [], processes: maxProcesses.fast },
    { batches: slow.map(batchOf), idle: idle.map(batchOf), processes: maxProcesses.slow },
  ]
  let count = 0
  const runAllOf = async (queue: Iterable<Batch>) => {
    for (const batch of queue) {
      const startedAt = performance.now()
      const { passed, failed, skipped, output } = await runBatch(batch, env)
      total.passed += passed
      total.failed += failed
      count += 1
      const notes = [
        `time=${Math.round(performance.now() - startedAt)}ms`,
        ...(skipped > 0 ? [`${skipped} skipped`] : []),
      ]
      process.stdout.write(`${failed > 0 ? `${output}not ` : ''}ok ${count} - ${batch.name} # ${notes.join(', ')}\n`)
      if (stopping.signal.aborted) return
    }
  }
  process.stdout.write(`1..${phases.flatMap(({ batches, idle }) => [...batches, ...idle]).length}\n`)
  for (const { batches, idle, processes } of phases) {
    const queue = batches.values()
    await Promise.all([...Array.from({ length: processes }, () => runAllOf(queue)), runAllOf(idle)])
    if (stopping.signal.aborted) break
  }
  return total
}

/** A process group of its own, so that a kill also reaches the processes that the tests have started. */
async function runBatch({ name, files }: Batch, env: NodeJS.ProcessEnv): Promise<Outcome> {
  const timeoutSeconds = fileTimeoutSeconds[files.some(isSlow) ? 'slow' : 'fast'] * files.length
  const child = spawn(process.execPath, ['test/run-files.ts', ...files], {
    cwd: root,
    env: { ...process.env, ...env, TAP_TIMEOUT: String(timeoutSeconds) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const kill = () => void (child.pid !== undefined && child.exitCode === null && process.kill(-child.pid, 'SIGKILL'))
  // For a process that tap's own timeout does not end.
  const timer = setTimeout(kill, (timeoutSeconds + 60) * 1_000)
  stopping.signal.addEventListener('abort', kill)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  stopping.signal.removeEventListener('abort', kill)
  // tap ends with `# { total: 3, pass: 2, fail: 1 }`, without the counts that are zero.
  const total = output.match(/^# \{ total: .*\}$/m)?.[0] ?? ''
  const count = (name: string) => Number(new RegExp(`${name}: (\\d+)`).exec(total)?.[1] ?? 0)
  const [passed, failed, skipped] = [count('pass'), count('fail'), count('skip')]
  if (code === 0 && total) return { passed, failed, skipped, output }
  output += `# ${name} ended with ${signal ?? `code ${code}`}\n`
  return { passed, failed: Math.max(1, failed), skipped, output }
}

async function reportCoverage(folder: string): Promise<void> {
  const c8 = [join(root, 'node_modules', '.bin', 'c8'), 'report', '--temp-directory', folder]
  const options = { cwd: root, stdio: 'inherit' } as const
  await once(spawn(process.execPath, [...c8, '--include', 'src/**', '--include', 'bot/**'], options), 'close')
}

function tell(message: string): void {
  process.stderr.write(`${message}\n`)
}
