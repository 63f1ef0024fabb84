import { existsSync } from 'node:fs'
import { cp, mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { signUp } from '../helper.ts'
import { freshFolder, root, ServerProcess, startServer } from './server-process.ts'

/** A copy of the project, for a `.env` in its root. */
async function copyProject(t: Test): Promise<string> {
  const folder = join(await freshFolder(t), `a folder, with späces, #, %41, ?, 'one' and "two" quotes`)
  for (const part of ['src', 'package.json', 'require-node.mjs', 'run.mjs'])
    await cp(join(root, part), join(folder, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

t.test(
  '.env in the project’s root is read from any working directory, and exported variables take precedence',
  async (t) => {
    const folder = await copyProject(t)
    const lines = [
      '# a comment',
      'DATA_DIR="kept here"',
      'PORT=not-a-port',
      'METRICS_PORT=0',
      "DB_PASSWORD='p w'",
      'LOG_LEVEL=debug',
    ]
    await writeFile(join(folder, '.env'), lines.join('\n'))
    const server = await startServer(t, { METRICS_PORT: undefined, HOST: 'localhost' }, { folder, envFile: true })
    t.match(server.out, 'DEBUG')
    t.ok(existsSync(join(folder, 'kept here', 'mongod')), 'a relative DATA_DIR is relative to the root')
    t.ok(existsSync(join(folder, 'kept here', 'jwt-sign-key')), 'a secret that is set nowhere is generated')
    t.notOk(existsSync(join(folder, 'kept here', 'db-password')), 'a secret from .env is not')
    t.equal((await stat(join(folder, 'kept here'))).mode & 0o777, 0o700)
    await signUp(server.url)
    t.match(await server.kill('SIGTERM'), { code: 0, error: '' })
  },
)

t.test('without .env the data is in .data in the project’s root', async (t) => {
  const folder = await copyProject(t)
  const server = await startServer(t, {}, { folder, envFile: true })
  t.ok(existsSync(join(folder, '.data', 'mongod')))
  t.match(await server.kill('SIGTERM'), { code: 0, error: '' })
})

t.test('an invalid or unreadable .env stops the start with a sentence', async (t) => {
  const folder = await copyProject(t)
  await writeFile(join(folder, '.env'), 'COOKIE_SECURE=perhaps\n')
  const wrong = await new ServerProcess(t, {}, { folder, envFile: true }).ended
  t.match(wrong, { code: 78, error: 'The configuration is invalid:\n  COOKIE_SECURE must be true or false\n' })
  await rm(join(folder, '.env'))
  await mkdir(join(folder, '.env'))
  const unreadable = await new ServerProcess(t, {}, { folder, envFile: true }).ended
  t.match(unreadable, {
    code: 78,
    error: /^The file \.env in the project’s root cannot be read: check its permissions\.\n$/,
  })
})
