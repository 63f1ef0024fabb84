import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { external, runReconcile } from '../cli/start-command.ts'
import { processesWith } from '../database/fixtures/processes.ts'
import { freshDatabase, makeClient, password, signUp } from '../helper.ts'
import { pidsOf } from '../processes/cluster.ts'
import { expectRefusal } from './refusal.ts'
import { freshFolder, startServer } from './server-process.ts'

t.test('a start without a pepper that is in use is refused, with one process and with several', async (t) => {
  const { connection } = await freshDatabase(t)
  const database = { ...external(connection), BCRYPT_COST: '4' }
  const file = join(await freshFolder(t), 'peppers')
  const [a, b] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')]
  const first = await startServer(t, { ...database, PASSWORD_PEPPER: `a:${a}` })
  const { username } = await signUp(first.url)
  t.match(await first.kill('SIGTERM'), { code: 0, error: '' })

  const refusal =
    /^PASSWORD_PEPPER lacks peppers that passwords in the database were hashed with: a \(1 password\)\. .*/
  await writeFile(file, `b:${b}\n`)
  for (const env of [{}, { PASSWORD_PEPPER_FILE: file }, { WEB_CONCURRENCY: '2' }])
    await expectRefusal(t, { ...database, ...env }, refusal)
  t.match(await runReconcile(t, database), { code: 0, error: '' }, 'reconcile needs no pepper')

  await writeFile(file, `b:${b}\na:${a}\n`)
  const both = await startServer(t, { ...database, PASSWORD_PEPPER_FILE: file, WEB_CONCURRENCY: '2' })
  t.match(await makeClient(both.url).post('v1/session', { json: { username, password } }), { statusCode: 200 })
  t.match(await both.kill('SIGTERM'), { code: 0, error: '' })

  await writeFile(file, `b:${b}\n`)
  const last = await startServer(t, { ...database, PASSWORD_PEPPER_FILE: file })
  t.match(await makeClient(last.url).post('v1/session', { json: { username, password } }), { statusCode: 200 })
  for (const secret of [a, b])
    t.notOk(
      [first, both, last].some(({ out, error }) => (out + error).includes(secret)),
      'no pepper is printed',
    )
})

t.test('no process that the server starts inherits a secret', async (t) => {
  const DATA_DIR = await freshFolder(t)
  const secrets = {
    DB_PASSWORD: randomBytes(16).toString('hex'),
    JWT_SIGN_KEY: randomBytes(32).toString('hex'),
    PASSWORD_PEPPER: `a:${randomBytes(32).toString('hex')}`,
  }
  const server = await startServer(t, { DATA_DIR, WEB_CONCURRENCY: '2', ...secrets })
  const mongod = (await processesWith(DATA_DIR)).map(({ pid }) => pid)
  const pids = [...mongod, ...(await pidsOf(server, 'api')), ...(await pidsOf(server, 'writer'))]
  t.ok(pids.length >= 4, 'mongod, two API processes and the writer process')
  for (const pid of pids) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
    t.match(environment, /\bPATH=/)
    for (const [name, secret] of Object.entries(secrets)) t.notOk(environment.includes(secret), name)
  }
})
