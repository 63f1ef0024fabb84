import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { root } from '../main/server-process.ts'

const run = promisify(execFile)
const skip = process.getuid?.() === 0 ? false : 'only root can become a user without an entry in passwd'

/** Looks for a mongod as a user that is not in passwd, with neither HOME nor anything else in the environment. */
const program = `
  const { findMongod } = await import(${JSON.stringify(join(root, 'src/embedded-mongod/find-binary.ts'))})
  process.setgroups([])
  process.setgid(54321)
  process.setuid(54321)
  const log = { info() {}, warn() {}, error() {} }
  const found = await findMongod({ spareCacheDir: process.argv[1], log }).catch((error) => error)
  process.stdout.write(JSON.stringify({ ...found, name: found.name }))
`

t.test('a user without a home finds a mongod on the PATH, and in the cache of DATA_DIR', { skip }, async (t) => {
  const folder = await mkdtemp('/tmp/rookery-home-')
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await chmod(folder, 0o755)
  for (const name of ['mongod', 'mongod-7.0.1'])
    await writeFile(join(folder, name), '#!/bin/sh\necho db version v7.0.1\n', { mode: 0o755 })
  const find = async (PATH: string) => {
    const args = ['--input-type=module', '--eval', program, folder]
    return JSON.parse((await run(process.execPath, args, { env: { PATH } })).stdout)
  }
  t.match(await find(`${folder}:/usr/bin:/bin`), { path: 'mongod', version: '7.0.1' })
  t.match(await find('/nowhere'), { path: join(folder, 'mongod-7.0.1') })
})
