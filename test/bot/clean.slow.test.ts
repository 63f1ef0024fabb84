import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { cleanCommand } from '../../bot/clean/command.ts'
import { identity, privateIdentity } from '../../bot/content.ts'
import { runCrowd } from '../../bot/crowd.ts'
import { LedgerFile } from '../../bot/history/ledger-file.ts'
import { testServer } from '../helper.ts'
import { lyingProxy, problem } from './lying-proxy.ts'
import { createRunContext } from './run-crowd.ts'

const size = { users: 6, posts: 1, replies: 0, follows: 1, reactions: 2, deletions: 20 }

/** A run that writes a ledger. */
async function run(path: string, url: string, isSeedGiven: boolean): Promise<void> {
  const { context } = createRunContext(url, { totalMs: 120_000, attemptTimeoutMs: 60_000 })
  const ledger = new LedgerFile(path, { seed: 8, isSeedGiven, url, alone: false, options: {}, startedAt: 'now' })
  context.history.listen(ledger)
  const progress = { begin: () => ({ step: () => {}, end: () => {} }) }
  await runCrowd(8, size, context, progress, isSeedGiven ? undefined : privateIdentity)
  ledger.close()
}

async function clean(...args: string[]) {
  const lines: string[] = []
  const code = await cleanCommand(args, (line) => lines.push(line))
  return { code, said: lines.join('\n') }
}

t.test('clean deletes what a run with a seed has left, also after new passwords, and only that', async (t) => {
  const { url, db } = await testServer(t)
  const folder = t.testdir()
  const [path, ofOthers] = [join(folder, 'seeded.ledger'), join(folder, 'random.ledger')]
  await run(path, url, true)
  await run(ofOthers, url, false)
  const left = await db.collection('accounts').countDocuments({})
  t.equal(left, 10, 'one robot of each run has deleted its account itself')
  const content = await readFile(path, 'utf8')
  for (let n = 0; n < size.users; n += 1) t.notOk(content.includes(identity(8, n, '').password), 'no password')
  t.strictSame(await clean(path), { code: 0, said: 'deleted 5 accounts of the run' })
  t.equal(await db.collection('accounts').countDocuments({}), 5)
  t.strictSame(await clean(path), { code: 0, said: 'deleted 0 accounts of the run; 5 more were gone before' })
  const { code, said } = await clean(ofOthers)
  t.equal(code, 1)
  t.match(
    said,
    /^deleted 0 accounts of the run\nleft 5 accounts, because their passwords were random: \w+(, \w+){4}\.\n/,
  )
  t.match(said, /those of a run with --seed .*\n.*npm run accounts -- delete USERNAME --yes/)
})

t.test('clean needs one ledger, and a server that is meant', async (t) => {
  await t.rejects(clean(), { message: 'clean needs the path of one ledger.' })
  await t.rejects(clean('package.json'), { message: /^package\.json is not a ledger of the bot: / })
  const path = join(t.testdir(), 'far.ledger')
  const head = { seed: 1, isSeedGiven: true, alone: false, options: {}, startedAt: 'now' }
  new LedgerFile(path, { ...head, url: 'https://example.com/' }).close()
  await t.rejects(clean(path), { message: /^--url https:\/\/example\.com is another machine/ })
  await t.rejects(clean(path, '--url', 'x', '--ca', '/no'), {
    message: /^--url must be .*\n--ca \/no cannot be read\.$/,
  })
})

t.test('clean says of an account with a second factor that it cannot log in, and how it can', async (t) => {
  const { url, db } = await testServer(t)
  // The robot cannot remove its app, as if the run had been killed.
  const proxy = await lyingProxy(url, async ({ method, path }, forward) =>
    method === 'DELETE' && path === '/v1/second-factor/totp' ? problem(403, 'forbidden') : forward(),
  )
  t.teardown(proxy.close)
  const path = join(t.testdir(), 'seeded.ledger')
  await run(path, proxy.url, true)
  t.equal(await db.collection('secondFactors').countDocuments({}), 1)
  const content = await readFile(path, 'utf8')
  t.match(content, /recoveryCode:\w+:0/)
  const secrets = /"(secret|code|recoveryCodes?)"|otpauth|\b[a-z0-9]{4}(-[a-z0-9]{4}){3}\b/
  t.notMatch(content, secrets, 'no secret and no code')
  const { code, said } = await clean(path, '--url', url)
  t.equal(code, 1)
  t.match(said, /^deleted 4 accounts of the run\nleft 1 account, because they have a second factor: \w+_0\.\n/)
  t.match(said, /npm run accounts -- reset-factors USERNAME/)
  await db.collection('secondFactors').deleteMany({})
  t.strictSame((await clean(path, '--url', url)).code, 0)
})
