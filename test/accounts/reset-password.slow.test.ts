import t from 'tap'
import { external, startCommand } from '../cli/start-command.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { freshFolder, startServer } from '../main/server-process.ts'

type Item = { event: string; userAgent: string }
const newPassword = 'seven grey owls knit at 5 again'

t.test('accounts reset-password: one-time passwords', async (t) => {
  const { url, connection, db, lines } = await testServer(t)
  const env = { ...external(connection), BCRYPT_COST: '4' }
  const run = (...args: string[]) => startCommand(t, 'cli/accounts.ts', env, args).ended
  const detail = { command: 'reset-password', result: 'done' }
  const reset = async (username: string) => {
    const { code, out, error } = await run('reset-password', username)
    t.equal(code, 0)
    t.match(JSON.parse(error), { log: 'security', event: 'authz_admin', account: /^[0-9a-f-]{36}$/, detail })
    return { out, oneTime: /^ {2}(\S+)$/m.exec(out)?.[1] ?? '' }
  }
  const logIn = async (username: string, given: string) => {
    const client = makeClient(url)
    const { statusCode } = await client.post('v1/session', { json: { username, password: given } })
    return { client, statusCode }
  }

  t.test(
    'reset-password ends all sessions and prints a password for one login, which must then be changed',
    async (t) => {
      const { client, username } = await signUp(url)
      const { oneTime, out } = await reset(username.toUpperCase())
      t.match(oneTime, /^[0-9a-z]{5}(-[0-9a-z]{5}){4}$/)
      t.match(out, /^1 session was ended\. One-time password, valid for one login until \d{4}-/)
      t.equal((await client.get('v1/session')).statusCode, 401)
      t.equal((await client.post('v1/session/refresh')).statusCode, 401)
      t.equal((await logIn(username, password)).statusCode, 401, 'the old password is refused')
      const devices = await db.collection('devices').countDocuments()
      t.equal(devices, 1, 'the device stays known')
      const first = await logIn(username, oneTime)
      t.equal(first.statusCode, 200)
      t.equal((await logIn(username, oneTime)).statusCode, 401, 'a second login is refused')
      const same = { currentPassword: oneTime, newPassword: oneTime }
      const kept = await first.client.put('v1/account/password', { json: same })
      t.match(
        kept.body,
        { code: 'validation', errors: [{ pointer: '/body/newPassword' }] },
        'it cannot be the new password',
      )
      const fullWidth = {
        currentPassword: oneTime,
        newPassword: oneTime.replace(/[a-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0)),
      }
      for (let n = 0; n < 12; n += 1) {
        t.equal(
          (await first.client.put('v1/account/password', { json: fullWidth })).statusCode,
          400,
          'nor in full-width letters',
        )
      }
      const confirmed = await first.client.post('v1/session/confirm', { json: { password: oneTime } })
      t.equal(confirmed.statusCode, 403, 'it cannot confirm a session')
      const json = { currentPassword: oneTime, newPassword }
      t.equal((await first.client.put('v1/account/password', { json })).statusCode, 204)
      const { items } = (await first.client.get<{ items: Item[] }>('v1/account/activity')).body
      t.match(items, [
        { event: 'password-changed' },
        { event: 'login-failed', count: 1 },
        { event: 'login' },
        { event: 'login-failed', count: 1 },
        { event: 'password-changed', userAgent: 'npm run accounts' },
        { event: 'account-created' },
      ])
      for (const n of [1, 2]) t.equal((await logIn(username, newPassword)).statusCode, 200, `login ${n}`)
      t.equal((await logIn(username, oneTime)).statusCode, 401)
      t.notOk(lines.join('').includes(oneTime))
    },
  )

  t.test('of three concurrent logins with a one-time password, one succeeds', async (t) => {
    const { username } = await signUp(url)
    const { oneTime } = await reset(username)
    const logins = await Promise.all([logIn(username, oneTime), logIn(username, oneTime), logIn(username, oneTime)])
    t.same(logins.map(({ statusCode }) => statusCode).sort(), [200, 401, 401])
  })

  t.test('a one-time password is refused after 24 hours', async (t) => {
    const { username } = await signUp(url)
    const { oneTime } = await reset(username)
    const past = { $set: { 'oneTime.until': new Date(Date.now() - 1) } }
    await db.collection('credentials').updateOne({ oneTime: { $exists: true }, 'oneTime.used': false }, past)
    t.equal((await logIn(username, oneTime)).statusCode, 401)
  })

  t.test('an unknown username exits with 1 and bad arguments with 78; nothing changes', async (t) => {
    const { client } = await signUp(url)
    t.match(await run('reset-password', 'missing_one'), {
      code: 1,
      out: '',
      error: /^No account has the username missing_one\.$/m,
    })
    t.match(await run('reset-password', '$ne'), {
      code: 1,
      error: /^No account has the username[\s\S]*"result":"not-found"/,
    })
    for (const args of [[], ['reset-password', 'a', 'b']]) {
      t.match(
        await run(...args),
        { code: 78, out: '', error: /^Give a command and a username.\n\nUsage/ },
        args.join(' '),
      )
    }
    t.match(await run('--force', 'x'), { code: 78, out: '', error: /^Unknown option '--force': see --help\.\n$/ })
    t.match(await run('--help'), { code: 0, out: /^Usage: npm run accounts/, error: '' })
    t.equal((await client.get('v1/session')).statusCode, 200)
  })
})

t.test(
  'reset-password works on an embedded database with and without a running server',
  { timeout: 120_000 },
  async (t) => {
    const DATA_DIR = await freshFolder(t)
    const env = { DATA_DIR, BCRYPT_COST: '4' }
    const server = await startServer(t, env)
    const { client, username } = await signUp(server.url)
    const args = ['reset-password', username]
    t.match(await startCommand(t, 'cli/accounts.ts', env, args).ended, { code: 0, out: /^1 session was ended/ })
    // The server's revocation feed delivers it within a second.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    t.equal((await client.get('v1/session')).statusCode, 401)
    await server.kill('SIGTERM')
    t.match(await startCommand(t, 'cli/accounts.ts', env, args).ended, { code: 0, out: /^0 sessions were ended/ })
  },
)
