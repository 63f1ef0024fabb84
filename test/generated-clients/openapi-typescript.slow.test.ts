import { copyFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { password, testServer } from '../helper.ts'
import { npmPackages, run } from './cached.ts'

const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))
const sources = fileURLToPath(new URL('sources/', import.meta.url))
const session = 'openapi-fetch-session.ts'

t.test('a client that openapi-typescript generates compiles, and keeps a session through openapi-fetch', async (t) => {
  const modules = await npmPackages('openapi-typescript-7.13.0', [
    'openapi-typescript@7.13.0',
    'openapi-fetch@0.17.0',
    'typescript@5.9.3',
  ])
  const { url } = await testServer(t)
  const folder = await mkdtemp(join(tmpdir(), 'rookery-openapi-typescript-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await symlink(modules, join(folder, 'node_modules'))
  for (const name of [session, 'cookie-fetch.ts']) await copyFile(join(sources, name), join(folder, name))

  const generate = join(modules, 'openapi-typescript', 'bin', 'cli.js')
  await run(process.execPath, [generate, `${url}/openapi.json`, '--output', 'api.d.ts'], { cwd: folder })
  const strict = ['--noEmit', '--strict', '--skipLibCheck', '--allowImportingTsExtensions', '--ignoreConfig']
  const modern = ['--target', 'es2024', '--module', 'nodenext', '--lib', 'es2024,dom,dom.iterable', '--types', '']
  await run(process.execPath, [tsc, ...strict, ...modern, session], { cwd: folder }).catch((error) =>
    t.fail(error.stdout),
  )

  const { stdout } = await run(process.execPath, [session, url, 'fetch_user', password], { cwd: folder })
  t.same(JSON.parse(stdout), {
    seen: [
      ['sign up without a password', 400],
      ['sign up', 201],
      ['log in', 200],
      ['post', 201],
      ['like', 200],
      ['dislike', 200],
      ['refresh', 200],
      ['read', 200],
      ['log out', 204],
      ['refused', 401],
    ],
    editedAt: null,
    reaction: 'dislike',
    code: 'unauthenticated',
  })
})
