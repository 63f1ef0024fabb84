import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { freshDatabase, makeClient, signUp } from '../helper.ts'
import { expectRefusal } from './refusal.ts'
import { freshFolder, nothingRuns, ServerProcess, startServer, takenPort } from './server-process.ts'

const key = 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K'

/** mongod writes there first. */
const databaseFiles = (dataDir: string) => readdir(join(dataDir, 'mongod', 'data'))

t.test('a port in use stops the start with the name of its variable, before mongod starts', async (t) => {
  for (const name of ['PORT', 'METRICS_PORT'])
    for (const WEB_CONCURRENCY of ['1', '2']) {
      const DATA_DIR = await freshFolder(t)
      const port = await takenPort(t)
      await expectRefusal(
        t,
        { DATA_DIR, WEB_CONCURRENCY, [name]: port },
        new RegExp(`^${name} ${port} on 127.0.0.1 .*(in use|EADDRINUSE)`),
        69,
      )
      t.same(await databaseFiles(DATA_DIR), [], `${name}, ${WEB_CONCURRENCY} processes`)
      t.ok(await nothingRuns(DATA_DIR), name)
    }
})

t.test('one number for PORT and METRICS_PORT stops the start before mongod starts, on one address', async (t) => {
  const DATA_DIR = await freshFolder(t)
  const PORT = String(await findFreePort())
  const sentence = `PORT and METRICS_PORT are both ${PORT}: set another METRICS_PORT.`
  await expectRefusal(t, { DATA_DIR, PORT, METRICS_PORT: PORT }, sentence)
  t.same(await databaseFiles(DATA_DIR), [])
  await startServer(t, { DATA_DIR, PORT, METRICS_PORT: PORT, METRICS_HOST: '127.0.0.2' })
})

t.test('an invalid configuration stops the start before DATA_DIR is created', async (t) => {
  const DATA_DIR = join(await freshFolder(t), 'not-made')
  const { code, out, error } = await new ServerProcess(t, { DATA_DIR, PORT: 'http', BCRYPT_COST: '1' }).ended
  t.match({ code, out }, { code: 78, out: '' })
  t.match(error, /^The configuration is invalid:\n {2}PORT must .*\n {2}BCRYPT_COST must .*\n$/)
  t.notOk(existsSync(DATA_DIR))
})

t.test('a HOST that is not an address of this machine stops the start with one sentence', async (t) => {
  const { connection } = await freshDatabase(t)
  const env = { MONGODB_URI: connection.uri, DB_USER: connection.username, DB_PASSWORD: connection.password }
  await expectRefusal(
    t,
    { ...env, JWT_SIGN_KEY: key, HOST: '192.0.2.1' },
    'HOST 192.0.2.1 is not an address of this machine',
  )
})

t.test('a second server on DATA_DIR exits with the first one’s pid, and the first keeps running', async (t) => {
  const DATA_DIR = await freshFolder(t)
  const first = await startServer(t, { DATA_DIR })
  await expectRefusal(
    t,
    { DATA_DIR },
    `DATA_DIR ${DATA_DIR} is in use by another Rookery server (process ${first.child.pid})`,
    69,
  )
  const { username } = await signUp(first.url)
  t.match(await makeClient(first.url).get(`v1/accounts/${username}`), { statusCode: 200 })
})
