import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { toUuid } from '../../src/database/ids.ts'
import { lockDataDir } from '../../src/embedded-mongod/data-dir-lock.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { processesWith } from '../database/fixtures/processes.ts'
import { eventually } from '../eventually.ts'
import { makeClient, signUp } from '../helper.ts'
import { freshFolder, nothingRuns, root, startServer } from '../main/server-process.ts'
import { newUuid, postDocument, seedAccountTombstones } from '../reconcile/seed.ts'
import { runReconcile, startReconcile } from './start-command.ts'

type Post = { id: string; counts: { likes: number } }

/** The database of the server that runs on the directory. */
async function databaseIn(folder: string) {
  const port = await readFile(join(folder, 'mongod', 'port'), 'utf8')
  const password = (await readFile(join(folder, 'db-password'), 'utf8')).trim()
  const client = new MongoClient(`mongodb://127.0.0.1:${port.trim()}/?replicaSet=rookery`, {
    auth: { username: 'rookery', password },
    authSource: 'admin',
  })
  return { client, posts: client.db('rookery').collection<PostDocument>('posts') }
}

const mongodsOn = async (folder: string) =>
  (await processesWith(folder)).filter(({ program }) => program.includes('mongod')).map(({ pid }) => pid)

t.test('reconcile works on an embedded database with and without a running server', { timeout: 200_000 }, async (t) => {
  const folder = await freshFolder(t)
  const env = { DATA_DIR: folder }
  const server = await startServer(t, env)
  const people = await Promise.all(Array.from({ length: 4 }, () => signUp(server.url)))
  const [ann] = people
  if (!ann) throw new Error('no account')
  const { id } = (await ann.client.post<Post>('v1/posts', { json: { text: 'Hello' } })).body

  t.test('with a running server and concurrent writes there is no drift', async (t) => {
    const mongods = await mongodsOn(folder)
    t.equal(mongods.length, 1)
    let writing = true
    const statuses = new Map<number, number>()
    const write = async ({ client }: (typeof people)[number]) => {
      for (let n = 0; writing; n += 1) {
        const answers = [
          await client.put(`v1/posts/${id}/reaction`, { json: { value: n % 2 ? 'like' : 'dislike' } }),
          await client.post<Post>('v1/posts', { json: { text: 'Yes', replyTo: id } }),
        ]
        const reply = answers[1]?.body as Post | undefined
        if (n % 3 === 0 && reply) answers.push(await client.delete(`v1/posts/${reply.id}`))
        for (const { statusCode } of answers) statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
      }
    }
    const writes = Promise.all(people.map(write))
    for (const run of [1, 2, 3]) {
      const { code, out, error } = await runReconcile(t, env, run === 3 ? ['--fix'] : [])
      t.match(
        out,
        /^posts {6}[\d,]+ checked, drift 0\naccounts {3}4 checked, drift 0\n(.*\n){13}drift 0\n$/,
        `run ${run}`,
      )
      t.match({ code, error }, { code: 0, error: '' })
    }
    writing = false
    await writes
    t.same([...statuses.keys()].sort(), [200, 201, 204], JSON.stringify([...statuses]))

    const { client, posts } = await databaseIn(folder)
    await posts.updateOne({ _id: toUuid(id) }, { $inc: { 'counts.replies': 7 } })
    t.match(await runReconcile(t, env), { code: 1, out: /\ndrift 7\n$/ })
    t.match(await runReconcile(t, env, ['--fix']), { code: 0, out: /\ndrift 0 \(7 fixed\)\n$/ })
    await posts.updateOne({ _id: toUuid(id) }, { $inc: { 'counts.likes': 2 } })
    // Enough for the fix to take a while.
    const writer = newUuid()
    await seedAccountTombstones(client.db('rookery'), [writer])
    await posts.insertMany(Array.from({ length: 800 }, () => postDocument(writer, { likes: 1 })))
    await client.close()
    t.same(await mongodsOn(folder), mongods, 'there was only ever one mongod')
    t.equal((await makeClient(server.url).get(`v1/posts/${id}`)).statusCode, 200)
    t.equal(server.error, '')
  })

  t.test('with a password other than the server’s it exits with 78', async (t) => {
    const { code, out, error } = await runReconcile(t, { ...env, DB_PASSWORD: 'certainly not the password' })
    t.match(error, /^MongoDB at 127\.0\.0\.1:\d+ refuses the user rookery: check DB_USER and DB_PASSWORD\.\n$/)
    t.match({ code, out }, { code: 78, out: '' })
  })

  t.test('without a server it starts mongod, and stops it at the end', async (t) => {
    t.match(await server.kill('SIGTERM'), { code: 0, error: '' })
    t.ok(await nothingRuns(folder))
    const port = await readFile(join(folder, 'mongod', 'port'), 'utf8')
    t.match(await runReconcile(t, env), { code: 1, error: '', out: /and 781 more\ndrift 802\n$/ })
    t.ok(await nothingRuns(folder), 'no process remains')
    t.equal(await readFile(join(folder, 'mongod', 'port'), 'utf8'), port)
  })

  t.test('a server that starts during a reconcile waits for it', async (t) => {
    const running = runReconcile(t, env, ['--fix'])
    await eventually(async () => (await mongodsOn(folder)).length > 0)
    const { client, posts } = await databaseIn(folder)
    const left = () => posts.countDocuments({ 'counts.likes': 1 })
    const before = await left()
    // Half of it is still to come, and takes less than the 10 s that a server waits.
    await eventually(async () => (await left()) < before / 2)
    await client.close()
    const next = await startServer(t, env)
    t.match(next.out, 'Waiting for the previous server to close')
    t.match(await running, { code: 0, out: /\ndrift 0 \(802 fixed\)\n$/ })
    t.equal((await makeClient(next.url).get(`v1/posts/${id}`)).statusCode, 200)
    t.match(await runReconcile(t, env), { code: 0, error: '', out: /\ndrift 0\n$/ })
    t.match(await next.kill('SIGTERM'), { code: 0, error: '' })
  })
})

const key = 'one that is long enough: 0123456789abcdef'

t.test('with a server whose MongoDB does not respond it exits with 69 after 10 s', { timeout: 120_000 }, async (t) => {
  const refusal = async (port?: number) => {
    const folder = await freshFolder(t)
    await mkdir(join(folder, 'mongod'))
    await writeFile(join(folder, 'mongod', 'series'), '6.0')
    if (port !== undefined) await writeFile(join(folder, 'mongod', 'port'), String(port))
    const lock = await lockDataDir(folder, 0, () => undefined)
    t.teardown(() => lock.release())
    const { code, out, error } = await runReconcile(t, { DATA_DIR: folder, DB_PASSWORD: 'p', JWT_SIGN_KEY: key })
    t.match({ code, out }, { code: 69, out: '' })
    t.equal(error, `A server uses DATA_DIR ${folder}, but its MongoDB does not respond: try again when it does.\n`)
  }
  await Promise.all([refusal(), refusal(await findFreePort())])
})

t.test('reconcile reads .env in the project’s root', async (t) => {
  const folder = await freshFolder(t)
  for (const part of ['src', 'package.json', 'require-node.mjs', 'run.mjs'])
    await cp(join(root, part), join(folder, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await writeFile(join(folder, '.env'), 'DATA_DIR=kept-here\nDB_PASSWORD=p\n')
  const env = { DATA_DIR: undefined, DB_PASSWORD: undefined }
  const { code, error } = await startReconcile(t, env, [], folder).ended
  t.equal(code, 78)
  t.match(error, `There is no database in DATA_DIR ${join(folder, 'kept-here')}: `)
  t.notOk(existsSync(join(folder, 'kept-here', 'db-password')), 'a secret from .env is not generated')
})

t.test('in a directory without a database it exits with 78 and creates nothing', async (t) => {
  const folder = await freshFolder(t)
  const DATA_DIR = join(folder, 'mistyped')
  const { code, out, error } = await runReconcile(t, { DATA_DIR })
  t.match({ code, out }, { code: 78, out: '' })
  t.equal(error, `There is no database in DATA_DIR ${DATA_DIR}: start the server once, or set DATA_DIR.\n`)
  t.same(await readdir(folder), [], 'nothing is created')
})
