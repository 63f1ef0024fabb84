import { createHash } from 'node:crypto'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { password, testServer } from '../helper.ts'
import { cached, pythonWith, run } from './cached.ts'

const version = '7.25.0'
const jarUrl = `https://repo1.maven.org/maven2/org/openapitools/openapi-generator-cli/${version}/openapi-generator-cli-${version}.jar`
const jarSha256 = '41ce4f6b07f196676439d710759fa1ced7a08066d06ff1bf314681470289efae'

const bin = (name: string) => fileURLToPath(new URL(`../../node_modules/${name}`, import.meta.url))
const sources = fileURLToPath(new URL('sources/', import.meta.url))

const hasJava = await run('java', ['-version']).then(
  () => true,
  () => false,
)
const skip = !hasJava && !process.env.CI && 'no java: apt-get install default-jdk-headless'

/** The 31 MB of the generator, verified and kept outside the repository. */
const generatorJar = () =>
  cached(`openapi-generator-cli-${version}.jar`, async (path) => {
    const bytes = Buffer.from(await (await fetch(jarUrl)).arrayBuffer())
    if (createHash('sha256').update(bytes).digest('hex') !== jarSha256) throw new Error(`${jarUrl} is not what it was`)
    await writeFile(path, bytes)
  })

t.test('openapi-generator', { skip }, async (t) => {
  const { url } = await testServer(t)
  const folder = await mkdtemp(join(tmpdir(), 'rookery-openapi-generator-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const document = join(folder, 'openapi.json')
  await writeFile(document, await (await fetch(`${url}/openapi.json`)).text())
  const jar = await generatorJar()
  const generate = (generator: string, output: string) =>
    run('java', ['-jar', jar, 'generate', '-i', document, '-g', generator, '-o', join(folder, output)])

  await t.test('its Python package can be imported, and keeps a session', async (t) => {
    await generate('python', 'python')
    const requirements = ['urllib3==2.7.0', 'python-dateutil==2.9.0.post0', 'pydantic==2.12.5']
    const python = await pythonWith(`openapi-generator-${version}-python`, requirements)
    const script = join(sources, 'generated_session.py')
    const env = { ...process.env, PYTHONPATH: join(folder, 'python'), PYTHONDONTWRITEBYTECODE: '1' }
    const { stdout } = await run(python, [script, url, 'python_user', password], { env })
    t.same(JSON.parse(stdout), [
      ['sign up', 201],
      ['log in', 200],
      ['post', 201],
      ['like', 200],
      ['dislike', 200],
      ['refresh', 200],
      ['read', 200],
      ['confirm', 200],
      ['export', 200],
      ['log out', 204],
      ['refused', 401],
    ])
  })

  await t.test('its typescript-fetch client compiles, keeps a session, and editedAt is a date or null', async (t) => {
    await generate('typescript-fetch', 'client')
    const session = 'typescript-fetch-session.ts'
    for (const name of [session, 'cookie-fetch.ts']) await copyFile(join(sources, name), join(folder, name))
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    const strict = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig']
    const modern = ['--target', 'es2024', '--module', 'preserve', '--moduleResolution', 'bundler', '--types', '']
    const libraries = ['--lib', 'es2024,dom,dom.iterable']
    const compile = [bin('typescript/bin/tsc'), ...strict, ...modern, ...libraries, session]
    await run(process.execPath, compile, { cwd: folder }).catch((error) => t.fail(error.stdout))
    const started = [bin('tsx/dist/cli.mjs'), session, url, 'typescript_user', password]
    const { stdout } = await run(process.execPath, started, { cwd: folder })
    t.same(JSON.parse(stdout), { editedAt: null, isEdited: true, reaction: 'dislike', listed: 1, status: 401 })
  })
})
