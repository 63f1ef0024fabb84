import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { eventually } from '../eventually.ts'
import {
  cleanLines,
  indexedDatabase,
  postDocument,
  postsOf,
  seedAccount,
  seedPost,
  seedReactions,
} from '../reconcile/seed.ts'
import { external, runReconcile, startReconcile } from './start-command.ts'

t.test('reconcile exits with 1 and reports the drift; with --fix it exits with 0 and no drift remains', async (t) => {
  const { db, connection } = await indexedDatabase(t)
  const author = await seedAccount(db, { posts: 2 })
  const post = await seedPost(db, author, { likes: 4 })
  await seedReactions(db, post, 'like', 1)
  const env = external(connection)
  const told = [`  post ${post}: likes: 4 stored, 1 counted`, `  account ${author}: posts: 2 stored, 1 counted`]
  const found = await runReconcile(t, env)
  t.same(found.out.split('\n'), [
    'posts      1 checked, drift 3',
    'accounts   1 checked, drift 1',
    'reactions  1 checked, drift 0',
    ...cleanLines({ reactions: 1, posts: 1, days: 1 }),
    ...told,
    'drift 4',
    '',
  ])
  t.match(found, { code: 1, error: '' })
  const fixed = await runReconcile(t, env, ['--fix'])
  t.match(fixed, { code: 0, error: '', out: /\ndrift 0 \(4 fixed\)\n$/ })
  t.match(await runReconcile(t, env), { code: 0, error: '', out: /\ndrift 0\n$/ })
})

t.test(
  'with --fix, a drift in a locked document is fixed once MongoDB ends the transaction that locks it',
  {
    timeout: 120_000,
  },
  async (t) => {
    const { db, client, connection } = await indexedDatabase(t)
    const author = await seedAccount(db, { posts: 1 })
    const held = await seedPost(db, author, { likes: 4 })
    const session = client.startSession()
    session.startTransaction()
    await postsOf(db).updateOne({ _id: held }, { $inc: { revision: 1 } }, { session })
    const { code, out } = await runReconcile(t, external(connection), ['--fix'])
    await session.abortTransaction()
    await session.endSession()
    t.equal(code, 0)
    t.match(out, `  post ${held}: likes: 4 stored, 0 counted (fixed)\ndrift 0 (4 fixed)\n`)
  },
)

t.test('bad options, and options that npm consumed, exit with 78 and one sentence', async (t) => {
  const refusals: [args: string[], env: Record<string, string>, sentence: string][] = [
    [['--fxi'], {}, "Unknown option '--fxi': see --help.\n"],
    [['--fix=yes'], {}, "Option '--fix' does not take an argument: see --help.\n"],
    [['posts'], {}, "Unexpected argument 'posts': see --help.\n"],
    [[], { npm_config_fix: 'true' }, 'npm kept --fix for itself: npm run reconcile -- --fix\n'],
    [[], { COOKIE_SECURE: 'perhaps' }, 'The configuration is invalid:\n  COOKIE_SECURE must be true or false\n'],
  ]
  for (const [args, env, error] of refusals) {
    t.strictSame(await runReconcile(t, env, args), { code: 78, out: '', error })
  }
  const help = await runReconcile(t, {}, ['--help'])
  t.match(help, { code: 0, error: '', out: /^Usage: npm run reconcile -- \[options\]\n/ })
  for (const word of ['--fix', '--help', 'drift', 'Exit code']) t.match(help.out, word)
})

t.test(
  'a database out of reach exits with 69, one that refuses the user with 78, both with a sentence without a secret',
  async (t) => {
    const { connection } = await indexedDatabase(t)
    const { host } = new URL(connection.uri)
    const env = external(connection)
    const DB_PASSWORD = 'certainly-not-the-password'
    const wrong = await runReconcile(t, { ...env, DB_PASSWORD })
    const us = connection.username
    t.strictSame(wrong, {
      ...{ code: 78, out: '' },
      error: `MongoDB at ${host} refuses the user ${us}: check DB_USER and DB_PASSWORD.\n`,
    })
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const dead = `127.0.0.1:${(closed.address() as { port: number }).port}` // TCP always
    await new Promise((resolve) => closed.close(resolve))
    const absent = await runReconcile(t, { ...env, MONGODB_URI: `mongodb://${dead}/rookery` })
    t.strictSame(absent, {
      ...{ code: 69, out: '' },
      error: `MongoDB at ${dead} does not respond: check MONGODB_URI, and that MongoDB is running.\n`,
    })
    t.match(await runReconcile(t, { ...env, MONGODB_URI: `mongodb://${host}/config` }), {
      ...{ code: 78, out: '' },
      error: new RegExp(`^MongoDB at ${host} denies the user ${us} a necessary privilege: not auth[^\n]*\n$`),
    })
  },
)

t.test('SIGINT stops reconcile after the current fix, without a half-done one or an open transaction', async (t) => {
  const { db, connection } = await indexedDatabase(t)
  const author = await seedAccount(db, { posts: 4_000 })
  await postsOf(db).insertMany(Array.from({ length: 4_000 }, () => postDocument(author, { likes: 1, dislikes: 1 })))
  const wrong = () => postsOf(db).countDocuments({ 'counts.likes': 1 })
  const { child, ended } = startReconcile(t, external(connection), ['--fix'])
  await eventually(async () => (await wrong()) < 4_000 || child.exitCode !== null, { everyMs: 0 })
  child.kill('SIGINT')
  const { code, out, error } = await ended
  t.equal(code, 130)
  t.match(error, /^Interrupted: [^\n]+\n$/)
  const left = await wrong()
  t.ok(left > 3_500, `${left} remain: it stopped within the chunk`)
  const [, fixed] = /^posts {6}500 checked, drift [\d,]+, fixed ([\d,]+)\n/.exec(out) ?? []
  t.equal(fixed, ((4_000 - left) * 2).toLocaleString('en'), 'fixed documents are reported')
  t.notMatch(out, 'accounts')
  t.equal(await postsOf(db).countDocuments({ 'counts.likes': 1, 'counts.dislikes': 0 }), 0, 'none is fixed in part')
  const { modifiedCount } = await postsOf(db).updateMany({}, { $inc: { revision: 1 } }, { maxTimeMS: 5_000 })
  t.equal(modifiedCount, 4_000, 'no open transaction blocks a write')
})
