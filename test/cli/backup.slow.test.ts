import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { backupRole } from '../../src/service-roles.ts'
import { freshDatabase, makeClient, password, retry503, signUp, testServer } from '../helper.ts'
import { freshFolder, startServer } from '../main/server-process.ts'
import { createRoles, createUser } from '../services/users.ts'
import { external, runReconcile, startCommand } from './start-command.ts'

type Env = Record<string, string>
type Person = Awaited<ReturnType<typeof signUp>>

const backup = (t: Test, env: Env, ...args: string[]) => startCommand(t, 'cli/backup.ts', env, args).ended
const restore = (t: Test, env: Env, ...args: string[]) => startCommand(t, 'cli/restore.ts', env, args).ended

/** Posts, reactions and follows of each person, until `isOver`. */
async function writeUntil(isOver: () => boolean, people: readonly Person[], postId: string): Promise<void> {
  const write = async ({ client }: Person, others: readonly Person[]) => {
    for (let n = 0; !isOver(); n += 1) {
      const other = others[n % others.length]?.username
      await client.put(`v1/posts/${postId}/reaction`, { json: { value: n % 2 ? 'like' : 'dislike' } })
      await client.post('v1/posts', { json: { text: `Reply ${n}`, replyTo: postId } })
      await client.put(`v1/accounts/${other}/follow`)
    }
  }
  await Promise.all(people.map((person) => write(person, people)))
}

const sessionStatus = async ({ client }: Pick<Person, 'client'>) => (await client.get('v1/session')).statusCode

t.test(
  'a backup of a busy server restores elsewhere: drift 0, and no earlier cookie works',
  { timeout: 300_000 },
  async (t) => {
    const from = await freshFolder(t)
    const to = await freshFolder(t)
    const file = join(await freshFolder(t), 'rookery.backup')
    const server = await startServer(t, { DATA_DIR: from })
    const people = await Promise.all(Array.from({ length: 4 }, () => signUp(server.url)))
    const [ann] = people
    if (!ann) throw new Error('no account')
    const { id } = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Hello' } })).body
    let isOver = false
    const writes = writeUntil(() => isOver, people, id)
    const saved = await backup(t, { DATA_DIR: from }, file)
    t.match(saved, { code: 0, out: '', error: /^[\d,]+ documents, checksum [0-9a-f]{16}\n$/ })
    t.equal((await stat(file)).mode & 0o777, 0o600)
    const later = await signUp(server.url)
    isOver = true
    await writes
    t.match(await backup(t, { DATA_DIR: from }, file), { code: 78, error: /exists already: name a new file/ })
    server.child.kill('SIGTERM')
    await server.ended

    const restored = await restore(t, { DATA_DIR: to }, file)
    t.match(restored, { code: 0, out: 'drift 0\n', error: /: [\d,]+ documents of 20\S+Z; the file is complete\n/ })
    t.match(await restore(t, { DATA_DIR: to }, file), { code: 78, error: /is not empty/ })
    t.match(await runReconcile(t, { DATA_DIR: to }), { code: 0, out: /\ndrift 0\n$/ })
    // With the keys of before, so that only the missing sessions refuse the tokens.
    const key = (await readFile(join(from, 'jwt-sign-key'), 'utf8')).trim()
    const again = await startServer(t, { DATA_DIR: to, JWT_SIGN_KEY: key })
    for (const person of [...people, later]) {
      const carried = makeClient(again.url)
      for (const cookie of await person.client.jar.getCookies(server.url))
        await carried.jar.setCookie(cookie, again.url)
      t.equal(await sessionStatus({ client: carried }), 401, 'an access token of before or after the backup')
      t.equal((await carried.post('v1/session/refresh')).statusCode, 401, 'a refresh token')
    }
    const owner = makeClient(again.url)
    const login = (username: string) => owner.post('v1/session', { json: { username, password } })
    t.equal((await login(ann.username)).statusCode, 200)
    t.equal((await login(later.username)).statusCode, 401, 'its account is later than the backup')
    t.equal((await owner.get(`v1/posts/${id}`)).statusCode, 200)
    t.equal((await owner.post('v1/posts', { json: { text: 'Back' } })).statusCode, 201)

    t.test('what is no whole backup is refused before the database is opened', async (t) => {
      const folder = await freshFolder(t)
      const env = { DATA_DIR: join(folder, 'data') }
      const bytes = await readFile(file)
      const broken = join(folder, 'broken')
      for (const [content, says] of [
        [bytes.subarray(0, bytes.length - 1), /its end is missing/],
        [bytes.subarray(0, bytes.length >> 1), /its end is missing/],
        [Buffer.alloc(0), /its end is missing/],
        [randomBytes(1_000), /it is damaged, or no backup/],
      ] as const) {
        await writeFile(broken, content)
        t.match(await restore(t, env, broken), { code: 78, error: says, out: '' })
      }
      const flipped = Buffer.from(bytes)
      flipped[bytes.length >> 1] = ~(flipped[bytes.length >> 1] ?? 0)
      await writeFile(broken, flipped)
      t.match(await restore(t, env, broken), { code: 78, error: /cannot be restored: / })
      t.match(await restore(t, env, folder), { code: 78, error: /cannot be read: name a backup/ })
      t.match(await restore(t, env), { code: 78, error: /Name one file/ })
      await truncate(broken)
      t.same(await readdir(folder), ['broken'])
    })

    t.test('a place that cannot take the backup is told, and nothing is left there', async (t) => {
      const folder = await freshFolder(t)
      const env = { DATA_DIR: to }
      t.match(await backup(t, env, join(folder, 'none', 'file')), { code: 78, error: /cannot be written \(ENOENT\)/ })
      await writeFile(join(folder, 'a.partial'), '')
      t.match(await backup(t, env, join(folder, 'a')), { code: 78, error: /another backup is writing it, or one was/ })
      t.match(await backup(t, env, '/dev/full'), { code: 78, error: /exists already/ })
      t.match(await backup(t, env), { code: 78, error: /Name one file/ })
      const dead = await backup(t, { DATA_DIR: join(folder, 'nowhere') }, join(folder, 'b'))
      t.match(dead, { code: 78, error: /There is no database in DATA_DIR/ })
      t.same(await readdir(folder), ['a.partial'])
    })
  },
)

t.test(
  'a replica set: the role rookery-backup is enough, and standard output can be the file',
  { timeout: 200_000 },
  async (t) => {
    const from = await testServer(t)
    await createRoles(t, from.connection, from.db.databaseName)
    const to = await freshDatabase(t)
    await createRoles(t, to.connection, to.db.databaseName)
    const userOf = async ({ db, connection }: Pick<typeof to, 'db' | 'connection'>) => ({
      ...(await createUser(t, connection, [{ role: backupRole, db: db.databaseName }])),
      uri: connection.uri,
    })
    const people = await Promise.all(Array.from({ length: 3 }, () => signUp(from.url)))
    for (const { client } of people)
      t.equal((await retry503(() => client.post('v1/posts', { json: { text: 'Hello' } }))).statusCode, 201)
    const file = join(await freshFolder(t), 'rookery.backup')
    const command = startCommand(t, 'cli/backup.ts', external(await userOf(from)), ['-'])
    const chunks: Buffer[] = []
    command.child.stdout.on('data', (chunk) => chunks.push(chunk))
    await once(command.child, 'close')
    await writeFile(file, Buffer.concat(chunks))
    t.match(await command.ended, { code: 0, error: /documents, checksum/ })
    const target = external({
      ...(await createUser(t, to.connection, [{ role: 'rookery', db: to.db.databaseName }])),
      uri: to.connection.uri,
    })
    t.match(await restore(t, target, file), { code: 0, out: 'drift 0\n' })
    for (const name of ['accounts', 'posts', 'credentials', 'usernames'])
      t.same(await to.db.collection(name).find().toArray(), await from.db.collection(name).find().toArray(), name)
    // Of a server: it cannot read what operators did.
    const [server] = [await createUser(t, from.connection, [{ role: 'rookery', db: from.db.databaseName }])]
    const denied = await backup(t, external({ ...server, uri: from.connection.uri }), `${file}2`)
    t.match(denied, { code: 78, error: /denies the user \w+ a necessary privilege/ })
  },
)

t.test(
  'a restore that was killed keeps servers from starting, until it is repeated',
  { timeout: 200_000 },
  async (t) => {
    const { db, connection } = await freshDatabase(t)
    await db.collection('versions').insertOne({ _id: 'restore' as never, sha256: 'f'.repeat(64), finishedAt: null })
    const server = startCommand(t, 'main.ts', { ...external(connection), PORT: '0', METRICS_PORT: '0' })
    t.match(await server.ended, {
      code: 78,
      error: /^A restore into this database did not finish: run npm run restore/,
    })
  },
)
