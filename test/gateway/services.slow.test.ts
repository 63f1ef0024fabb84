import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { allVariableNames } from '../../src/config.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { eventually } from '../eventually.ts'
import { freshFolder, nothingRuns, root } from '../main/server-process.ts'

/** npm run services, once it is ready. */
async function startServices(t: Test, folder: string) {
  const empty = Object.fromEntries(allVariableNames.map((name) => [name, '']))
  const port = String(await findFreePort())
  const { TEST_MONGOD_BINARY: MONGOD_BINARY } = process.env
  const env = { ...process.env, ...empty, MONGOD_BINARY, DATA_DIR: folder, PORT: port }
  const child = spawn(process.execPath, ['run.mjs', 'gateway/main.ts'], { cwd: root, env })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  while (!said.includes('in front of two services')) await once(child.stdout, 'data')
  const services = [...said.matchAll(/(?:accounts|posts) +(http:\S+), metrics/g)].map(([, url = '']) => url)
  return { child, services, url: `http://127.0.0.1:${port}` }
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
