import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { allVariableNames } from '../../src/config.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { processesWith } from '../database/fixtures/processes.ts'
import { eventually } from '../eventually.ts'
import { makeClient, password, signUp } from '../helper.ts'
import { freshFolder, nothingRuns, root, takenPort } from '../main/server-process.ts'

const skip = spawnSync('nginx', ['-v']).error ? 'nginx is not installed' : false

/** npm run services, once it is ready. */
async function startServices(t: Test, folder: string, host = '') {
  const empty = Object.fromEntries(allVariableNames.map((name) => [name, '']))
  const port = String(await findFreePort())
  const { TEST_MONGOD_BINARY: MONGOD_BINARY } = process.env
  const env = { ...process.env, ...empty, MONGOD_BINARY, DATA_DIR: folder, PORT: port, HOST: host }
  const child = spawn(process.execPath, ['run.mjs', 'gateway/main.ts'], { cwd: root, env })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  while (!/Try next.*\n/.test(said)) await once(child.stdout, 'data')
  const services = [...said.matchAll(/(?:accounts|posts) +(http:\S+), metrics/g)].map(([, url = '']) => url)
  return { child, said, services, url: `http://${host ? `[${host}]` : '127.0.0.1'}:${port}` }
}

t.test('npm run services: kill -9 leaves no service, gateway or mongod behind', async (t) => {
  const folder = await freshFolder(t)
  const { child, services, url } = await startServices(t, folder)
  for (const path of ['/v1/posts', '/.well-known/jwks.json']) t.equal((await fetch(url + path)).status, 200)
  t.equal(services.length, 2)
  child.kill('SIGKILL')
  const isRefused = (service: string) =>
    fetch(service).then(
      () => false,
      () => true,
    )
  await eventually(async () => (await Promise.all(services.map(isRefused))).every(Boolean))
  t.ok(await nothingRuns(folder))
})

t.test('npm run services: HOST=::1 listens there, and prints a command that works', async (t) => {
  const folder = await freshFolder(t)
  const { child, said, url } = await startServices(t, folder, '::1')
  const json = { username: 'over_ipv6', password }
  t.equal((await makeClient(url).post('v1/accounts', { json, headers: { origin: url } })).statusCode, 201)
  const [, command = ''] = /Try next +npx tsx bot (.*?) {3}/.exec(said) ?? []
  t.equal(command, `--url '${url}'`)
  const bot = `"$1" run.mjs bot/index.ts ${command} --users 1 --posts 1 --reactions 1 --replies 0`
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', bot, 'sh', process.execPath], { cwd: root })
  t.match(stdout, /ledger agrees/)
  child.kill('SIGTERM')
  t.same(await once(child, 'exit'), [0, null])
  t.ok(await nothingRuns(folder))
})

t.test('npm run services: it ends with its gateway', { skip }, async (t) => {
  const { child, url } = await startServices(t, await freshFolder(t))
  const shells = (await processesWith('/bin/sh')).filter(({ parent }) => parent === child.pid)
  const nginx = (await processesWith('nginx')).find(({ parent }) => shells.some(({ pid }) => pid === parent))
  if (!nginx) throw new Error('no nginx')
  process.kill(nginx.pid, 'SIGKILL')
  const [code] = await once(child, 'exit')
  t.equal(code, 1)
  await t.rejects(fetch(url), 'nothing of nginx keeps the port')
})

t.test('npm run services: a PORT in use stops the start', async (t) => {
  const env = { PORT: await takenPort(t), DATA_DIR: await freshFolder(t) }
  const child = spawn(process.execPath, ['run.mjs', 'gateway/main.ts'], { cwd: root, env: { ...process.env, ...env } })
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  t.match(said, `PORT ${env.PORT} on 127.0.0.1 is already in use: `)
  t.same(await readdir(join(env.DATA_DIR, 'mongod', 'data')), [], 'before mongod starts')
  t.equal(code, 69)
})

t.test('npm run services: a key rotated in its ring is known to both services after SIGHUP', async (t) => {
  const folder = await freshFolder(t)
  const { child, url } = await startServices(t, folder)
  const ring = join(folder, 'services', 'sign-keys.json')
  await promisify(execFile)(process.execPath, ['run.mjs', 'src/cli/keys.ts', 'rotate', ring, '--in', '0'], {
    cwd: root,
  })
  child.kill('SIGHUP')
  const keySet = () => makeClient(url).get<{ keys: unknown[] }>('.well-known/jwks.json')
  await eventually(async () => (await keySet()).body.keys.length === 2)
  const { client } = await signUp(url)
  const post = await client.post('v1/posts', { json: { text: 'signed with the new key' } })
  t.equal(post.statusCode, 201)
})
