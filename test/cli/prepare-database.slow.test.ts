import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import t, { type Test } from 'tap'
import { withAdmin } from '../../src/embedded-mongod/admin.ts'
import { findFreePort, waitUntilListening } from '../../src/embedded-mongod/port.ts'
import { freshDatabase } from '../helper.ts'
import { asAdmin } from '../services/users.ts'
import { startCommand } from './start-command.ts'

t.test('prepare-database gives the server’s user the role rookery, and can be repeated', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const { databaseName } = db
  const username = `user_${randomBytes(6).toString('hex')}`
  const env = {
    MONGODB_URI: connection.uri,
    MONGODB_KEY_FILE: process.env.TEST_MONGOD_KEY_FILE,
    DB_USER: username,
    DB_PASSWORD: randomBytes(12).toString('hex'),
  }
  t.teardown(() =>
    asAdmin(connection, async (admin) => {
      await admin.command({ dropUser: username })
      await admin.client.db(databaseName).command({ dropAllRolesFromDatabase: 1 })
    }),
  )
  for (let n = 0; n < 2; n += 1)
    t.match(await startCommand(t, 'cli/prepare-database.ts', env).ended, { code: 0, out: /is ready/, error: '' })
  const { users } = await asAdmin(connection, (admin) => admin.command({ usersInfo: { user: username, db: 'admin' } }))
  t.same(users[0].roles, [{ role: 'rookery', db: databaseName }])
})

/** Runs it on a key file of this mode, where no mongod listens. */
async function runWithKey(t: Test, mode: number) {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-key-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const MONGODB_KEY_FILE = join(folder, 'keyfile')
  await writeFile(MONGODB_KEY_FILE, randomBytes(96).toString('base64'))
  await chmod(MONGODB_KEY_FILE, mode)
  const MONGODB_URI = 'mongodb://127.0.0.1:9/rookery?replicaSet=rookery'
  const env = { MONGODB_URI, MONGODB_KEY_FILE, DB_PASSWORD: 'Zx9-4kTq_w8LmN2p' }
  return startCommand(t, 'cli/prepare-database.ts', env).ended
}

t.test('a key file that others may read is refused at once, with what to do', async (t) => {
  for (const mode of [0o644, 0o440]) {
    const { code, out, error } = await runWithKey(t, mode)
    t.match({ code, out }, { code: 78, out: '' })
    t.match(error, new RegExp(`^The key file \\S+ has the mode ${mode.toString(8)}, .*: run chmod 400 on it [^\n]*\n$`))
  }
})

const skip = process.getuid?.() === 0 && 'root may read every file'

t.test('a key file that its user may not read is refused at once', { skip }, async (t) => {
  t.match(await runWithKey(t, 0o200), { code: 78, error: /^The key file \S+ cannot be read: [^\n]*\n$/ })
})

const mongods = new Map<string, ChildProcess>()

/** A mongod of a replica set, not yet initiated. @returns its host */
async function startMember(t: Test, folder: string, keyFile: string): Promise<string> {
  const port = await findFreePort()
  const dbpath = await mkdtemp(join(folder, 'member-'))
  const args = ['--replSet', 'rookery', '--keyFile', keyFile, '--port', String(port), '--bind_ip', '127.0.0.1']
  const mongod = spawn(process.env.TEST_MONGOD_BINARY ?? 'mongod', [...args, '--dbpath', dbpath], { stdio: 'ignore' })
  t.teardown(async () => {
    mongod.kill('SIGKILL')
    if (mongod.exitCode === null && mongod.signalCode === null) await once(mongod, 'exit')
  })
  if (!(await waitUntilListening(port, AbortSignal.timeout(60_000)))) throw new Error('mongod does not listen')
  const host = `127.0.0.1:${port}`
  mongods.set(host, mongod)
  return host
}

t.test('a set of one becomes one of three, and three new hosts a set of three', { timeout: 300_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-set-'))
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  const keyFile = join(folder, 'keyfile')
  const key = randomBytes(96).toString('base64')
  await writeFile(keyFile, key, { mode: 0o400 })
  const hosts = [
    await startMember(t, folder, keyFile),
    await startMember(t, folder, keyFile),
    await startMember(t, folder, keyFile),
  ]
  const prepare = (...named: string[]) =>
    startCommand(t, 'cli/prepare-database.ts', {
      MONGODB_URI: `mongodb://${named.join(',')}/rookery?replicaSet=rookery`,
      MONGODB_KEY_FILE: keyFile,
      DB_PASSWORD: 'Zx9-4kTq_w8LmN2p',
    }).ended
  const [first = '', second = '', third = ''] = hosts
  t.match(await prepare(first), { code: 0, out: /is ready/ })
  const grown = await prepare(first, second, third)
  t.match(grown, { code: 0, out: new RegExp(`${second} is a new member.*\\n${third} is a new member.*\\n.*is ready`) })
  t.match(await prepare(first, second, third), { code: 0, out: /^MongoDB at .* is ready/ })
  const { config } = await withAdmin(first, key, 5_000, (admin) => admin.command({ replSetGetConfig: 1 }))
  t.same(
    config.members.map(({ host }: { host: string }) => host),
    hosts,
  )
  const fresh = [
    await startMember(t, folder, keyFile),
    await startMember(t, folder, keyFile),
    await startMember(t, folder, keyFile),
  ]
  t.match(await prepare(...fresh), { code: 0, out: /is ready/ })

  // The first host that the URI names does not answer: the others know the primary that they elect.
  const [lost = ''] = fresh
  mongods.get(lost)?.kill('SIGKILL')
  t.match(await prepare(...fresh), { code: 0, out: /is ready/ })
})

t.test('passwords come from files, too; both are an error', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const { databaseName } = db
  const username = `user_${randomBytes(6).toString('hex')}`
  const folder = await mkdtemp(join(tmpdir(), 'rookery-passwords-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'db-password')
  const password = randomBytes(12).toString('hex')
  await writeFile(file, `${password}\n`)
  const env = {
    MONGODB_URI: connection.uri,
    MONGODB_KEY_FILE: process.env.TEST_MONGOD_KEY_FILE,
    DB_USER: username,
    DB_PASSWORD_FILE: file,
  }
  t.teardown(() =>
    asAdmin(connection, async (admin) => {
      await admin.command({ dropUser: username })
      await admin.client.db(databaseName).command({ dropAllRolesFromDatabase: 1 })
    }),
  )
  // It logs in as the user at the end.
  t.match(await startCommand(t, 'cli/prepare-database.ts', env).ended, { code: 0, out: /is ready/, error: '' })
  const client = new MongoClient(connection.uri, { auth: { username, password }, authSource: 'admin' })
  t.teardown(() => client.close())
  await client.db(databaseName).listCollections().toArray()
  for (const [given, error] of [
    [{ DB_PASSWORD: password }, /DB_PASSWORD and DB_PASSWORD_FILE are both set/],
    [{ DB_PASSWORD_FILE: '' }, /DB_PASSWORD is not set: generate one with openssl rand -hex 32, or name its file/],
    [{ DB_PASSWORD_FILE: join(folder, 'none') }, /DB_PASSWORD_FILE names a file that cannot be read/],
    [{ POSTS_DB_PASSWORD_FILE: join(folder, 'none') }, /POSTS_DB_PASSWORD_FILE names a file that cannot be read/],
  ] as const) {
    const ended = await startCommand(t, 'cli/prepare-database.ts', { ...env, ...given }).ended
    t.match(ended, { code: 78, out: '', error })
  }
})
