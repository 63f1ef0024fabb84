import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findMongod } from '../src/embedded-mongod/find-binary.ts'
import { startEmbeddedMongod } from '../src/embedded-mongod/start.ts'
import { StartError } from '../src/start-error.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const username = 'rookery-test'
const log = { info: tell, warn: tell, error: tell }

try {
  process.exitCode = await runTests(process.argv.slice(2))
} catch (error) {
  tell(error instanceof StartError ? error.message : String(error instanceof Error ? error.stack : error))
  process.exitCode = 1
}

/** One MongoDB for the whole run; each test takes a database of its own in it. */
async function runTests(args: string[]): Promise<number> {
  const wanted = args.filter((arg) => arg !== '--coverage')
  const coverage = wanted.length < args.length
  const files = wanted.length > 0 ? wanted : await allTestFiles()
  if (!(await isTapBuilt())) {
    tell('Preparing tap for this installation, once')
    await tap(['build'], {}, 'ignore')
  }
  const { path } = await findMongod({
    explicit: process.env.MONGOD_BINARY,
    cacheDir: process.env.XDG_CACHE_HOME && join(process.env.XDG_CACHE_HOME, 'rookery'),
    log,
  })
  const folder = await mkdtemp(join(tmpdir(), 'rookery-test-'))
  const dataDir = join(folder, 'data')
  const results = join(folder, 'results.tap')
  const password = randomBytes(18).toString('base64url')
  try {
    const mongod = await startEmbeddedMongod({ dataDir, username, password, mongodBinary: path, log })
    const env = {
      TEST_MONGODB_URI: mongod.uri,
      TEST_DB_USER: username,
      TEST_DB_PASSWORD: password,
      TEST_MONGOD_BINARY: path,
      // Some tests start dozens of processes, and each would compile the same modules.
      ...(coverage ? { TEST_COVERAGE: '1' } : { NODE_COMPILE_CACHE: join(folder, 'compiled') }),
    }
    const options = [
      ...(coverage ? ['--allow-incomplete-coverage', '--allow-empty-coverage'] : ['--disable-coverage']),
      '--timeout=240',
      `--jobs=${availableParallelism()}`,
      ...outputTo(results),
    ]
    try {
      const code = await tap(['run', ...options, ...files], env, 'inherit')
      await printTotal(results)
      return code
    } finally {
      await mongod.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function allTestFiles(): Promise<string[]> {
  const files: string[] = []
  for await (const file of glob('test/**/*.test.ts', { cwd: root })) files.push(file)
  return files.sort()
}

/** tap runs test files with the plugins it was built with, and a fresh install has it with the one `.taprc` removes. */
async function isTapBuilt(): Promise<boolean> {
  const built = new URL('../node_modules/@tapjs/test/test-built/dist/esm/index.js', import.meta.url)
  const source = await readFile(built, 'utf8').catch(() => '@tapjs/typescript')
  return !source.includes('@tapjs/typescript')
}

function tap(args: string[], env: Record<string, string>, stdout: 'inherit' | 'ignore'): Promise<number> {
  const command = [join(root, 'node_modules', '.bin', 'tap'), ...args]
  const child = spawn(process.execPath, command, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', stdout, 'inherit'],
    // A group of its own, so that a signal reaches the test files as well: tap alone would let them end first.
    detached: true,
  })
  const forward = (signal: NodeJS.Signals) => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal)
  }
  process.on('SIGINT', forward).on('SIGTERM', forward)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      process.off('SIGINT', forward).off('SIGTERM', forward)
      resolve(code ?? 1)
    })
  })
}

/** On a terminal tap's own display, else TAP: an output file beside tap's `tap` reporter would print everything twice. */
function outputTo(results: string): string[] {
  if (process.stdout.isTTY) return [`--output-file=${results}`]
  return ['--reporter=tap', `--reporter-file=${results}`, '--output-file=/dev/null']
}

/** tap ends with `# { total: 3, pass: 2, fail: 1 }`, in a form that leaves out what is zero. */
async function printTotal(results: string): Promise<void> {
  const total = /^# \{ total: .*\}$/m.exec(await readFile(results, 'utf8').catch(() => ''))?.[0] ?? ''
  const count = (name: string) => Number(new RegExp(`${name}: (\\d+)`).exec(total)?.[1] ?? 0)
  process.stdout.write(`${count('pass')} passed, ${count('fail')} failed\n`)
}

function tell(message: string): void {
  process.stderr.write(`${message}\n`)
}
