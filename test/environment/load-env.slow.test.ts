import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

t.test('what the AWS SDK reads from process.env can be in .env, but no secret gets there', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-env-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await cp(join(root, 'src'), join(folder, 'src'), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const lines = ['AWS_PROFILE=rookery', 'AWS_REGION=eu-central-1', 'AWS_CONFIG_FILE=', 'AWS_SECRET_ACCESS_KEY=any']
  await writeFile(join(folder, '.env'), lines.join('\n'))
  const program = `
    const { loadEnv } = await import(${JSON.stringify(join(folder, 'src/environment/load-env.ts'))})
    const { AWS_SECRET_ACCESS_KEY } = loadEnv().env
    console.log(JSON.stringify([AWS_SECRET_ACCESS_KEY, process.env]))
  `
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], {
    env: { PATH: process.env.PATH, AWS_REGION: 'us-west-2' },
  })
  const [secret, env] = JSON.parse(stdout)
  t.equal(secret, 'any')
  const aws = Object.entries(env).filter(([name]) => name.startsWith('AWS_'))
  t.same(Object.fromEntries(aws), { AWS_PROFILE: 'rookery', AWS_REGION: 'us-west-2' })
})

t.test('a server whose .env is in UTF-16 exits with 78 and one sentence', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-env-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await cp(join(root, 'src'), join(folder, 'src'), { recursive: true })
  for (const name of ['run.mjs', 'require-node.mjs', 'package.json']) await cp(join(root, name), join(folder, name))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await writeFile(join(folder, '.env'), '\ufeffPORT=0\r\n', 'utf16le')
  const started = run(process.execPath, [join(folder, 'run.mjs'), 'src/main.ts'])
  await t.rejects(started, { code: 78, stderr: /^The file \.env [^\n]* UTF-8[^\n]*\n$/ })
})
