import { hostname, userInfo } from 'node:os'
import type { UUID } from 'mongodb'
import t from 'tap'
import { toUuid } from '../../src/database/ids.ts'
import { eventually } from '../eventually.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { enrol, firstStep, secondStep } from '../second-factor/authenticator.ts'
import { external, startCommand } from './start-command.ts'

type Own = { id: string; counts: { posts: number; followers: number } }
type Activity = { items: { event: string; userAgent: string }[] }
type AuditEntry = { user: string; host: string; command: string; account: UUID | null; at: Date }

t.test('the commands of npm run accounts, while a server runs', { timeout: 240_000 }, async (t) => {
  const limits = { LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '3', USERNAME_HOLD_DAYS: '1' }
  const { url, connection, db } = await testServer(t, limits)
  const env = { ...external(connection), BCRYPT_COST: '4', USERNAME_HOLD_DAYS: '1' }
  const run = (...args: string[]) => startCommand(t, 'cli/accounts.ts', env, args).ended
  const done = async (...args: string[]) => {
    const { code, out, error } = await run(...args)
    t.match({ code, error }, { code: 0, error: /^{"level":30,[^\n]+"event":"authz_admin"[^\n]+\n$/ }, args.join(' '))
    return out
  }
  const logIn = async (username: string, given = password) => {
    const client = makeClient(url)
    const response = await client.post<{ code?: string }>('v1/session', { json: { username, password: given } })
    return { client, statusCode: response.statusCode, code: response.body.code }
  }
  const idOf = async (username: string) => (await makeClient(url).get<Own>(`v1/accounts/${username}`)).body.id
  const isOut = async (client: ReturnType<typeof makeClient>) => {
    await eventually(async () => (await client.get('v1/session')).statusCode === 401)
    return (await client.post('v1/session/refresh')).statusCode === 401
  }
  const entriesOf = (account: string) =>
    db
      .collection<AuditEntry>('audit')
      .find({ account: toUuid(account) })
      .sort({ _id: 1 })
      .toArray()

  t.test(
    'suspend ends sessions and refuses logins as for a wrong password; unsuspend permits them again',
    async (t) => {
      const { client, username } = await signUp(url)
      const post = await client.post<{ id: string }>('v1/posts', { json: { text: 'still here' } })
      t.match(await done('suspend', username.toUpperCase()), /^The account is suspended: .* 1 session was ended\./)
      t.ok(await isOut(client))
      t.match(await logIn(username), { statusCode: 401, code: 'invalid-credentials' })
      t.equal((await makeClient(url).get(`v1/posts/${post.body.id}`)).statusCode, 200, 'its content stays visible')
      t.match(await done('suspend', username), /^The account was suspended already: .* 0 sessions were ended/)
      const oneTime = /^ {2}(\S+)$/m.exec(await done('reset-password', username))?.[1] ?? ''
      t.equal((await logIn(username, oneTime)).statusCode, 401, 'a one-time password does not help')
      t.match(await done('unsuspend', username), /^The account can log in again\./)
      const again = await logIn(username, oneTime)
      t.equal(again.statusCode, 200)
      t.match(await done('unsuspend', username), /^The account was not suspended\./)
      const events = await db.collection('activity').find({ event: 'suspended' }).toArray()
      t.match(events, [{ userAgent: 'npm run accounts' }], 'one event, however often it is repeated')
      const entries = await entriesOf(await idOf(username))
      t.same(
        entries.map(({ command }) => command),
        ['suspend', 'suspend', 'reset-password', 'unsuspend', 'unsuspend'],
      )
      t.match(entries[0], { user: userInfo().username, host: hostname(), at: Date })
    },
  )

  t.test('of a login that races with a suspension, no session remains', async (t) => {
    const { username } = await signUp(url)
    let isDone = false
    const suspended = run('suspend', username).then(() => {
      isDone = true
    })
    const clients: ReturnType<typeof makeClient>[] = []
    while (!isDone) {
      const { client, statusCode } = await logIn(username)
      if (statusCode === 200) clients.push(client)
    }
    await suspended
    for (const client of clients) t.ok(await isOut(client))
    const account = { account: toUuid(await idOf(username)) }
    t.equal(await db.collection('sessions').countDocuments(account), 0)
  })

  t.test('unlock clears the counters of failed logins of that account only', async (t) => {
    const [{ username }, other] = [await signUp(url), await signUp(url)]
    for (const name of [username, other.username]) {
      for (const _ of [1, 2, 3]) t.equal((await logIn(name, 'not the password')).statusCode, 401)
      t.equal((await logIn(name)).statusCode, 429)
    }
    t.match(
      await done('show', username),
      /^failures {3}3 by account and address, 3 by account and network, 3 by account, 3 in a row$/m,
    )
    t.match(await done('unlock', username), /^4 counters of failed logins and wrong codes cleared\.\nAudit log: /)
    t.equal((await logIn(username)).statusCode, 200)
    t.equal((await logIn(other.username)).statusCode, 429)
  })

  t.test('reset-factors removes the second factor, its trust and what was proven before; show names it', async (t) => {
    const { client, username } = await signUp(url)
    t.match(await done('show', username), /^factors {4}none$/m)
    const { recoveryCodes } = await enrol(client)
    const [trusted, between] = [makeClient(url), makeClient(url)]
    for (const each of [trusted, between]) t.equal((await firstStep(each, username)).statusCode, 401)
    const json = { recoveryCode: recoveryCodes[0], trustDevice: true }
    t.equal((await secondStep(trusted, json)).statusCode, 200)
    t.match(await done('show', username), /^factors {4}authenticator app since \d{4}-.*Z, 9 recovery codes left$/m)
    const passkeys = db.collection('passkeys')
    await passkeys.insertOne({ account: toUuid(await idOf(username)) })
    const attempts = db.collection<{ _id: string; taken: object[] }>('attempts')
    await attempts.insertOne({ _id: `failed-codes-in-a-row:${await idOf(username)}`, taken: [{ at: new Date() }] })
    const out = await done('reset-factors', username)
    t.match(out, /^The authenticator app was removed, and 1 passkey\. The password alone logs in now\.\nAudit log: /)
    t.equal(await passkeys.countDocuments(), 0)
    await passkeys.drop()
    t.equal(await attempts.countDocuments({ _id: /^failed-codes-in-a-row/ }), 0)
    t.match(await secondStep(between, { recoveryCode: recoveryCodes[1] }), { statusCode: 401 })
    t.equal((await firstStep(makeClient(url), username)).statusCode, 200)
    t.equal((await client.get('v1/session')).statusCode, 200, 'sessions go on')
    const { items } = (await client.get<Activity>('v1/account/activity')).body
    t.ok(items.some(({ event, userAgent }) => event === 'factors-reset' && userAgent === 'npm run accounts'))
    await enrol(client)
    t.match(await firstStep(trusted, username), { statusCode: 401 }, 'no device is trusted')
    t.match(await done('reset-factors', username), /^The authenticator app was removed, and 0 passkeys/)
    t.match(await done('reset-factors', username), /^There was no authenticator app, and 0 passkeys/)
    t.same(
      (await entriesOf(await idOf(username))).map(({ command }) => command).filter((name) => name !== 'show'),
      ['reset-factors', 'reset-factors', 'reset-factors'],
    )
  })

  t.test('show prints state, sessions and activity, and nothing that controls the terminal', async (t) => {
    const { client, username } = await signUp(url)
    await client.patch('v1/account', { json: { bio: 'a secret of mine' } })
    const headers = { 'user-agent': '\u009b2J\u009b31m "x"' }
    await makeClient(url).post('v1/session', { json: { username, password }, headers })
    const out = await done('show', username)
    t.match(out, new RegExp(`^username {3}${username}$`, 'm'))
    t.match(out, new RegExp(`^id {9}${await idOf(username)}$`, 'm'))
    t.match(out, /^state {6}active$/m)
    t.match(
      out,
      /^passkeys {3}0\nsessions {3}2 live\n( {2}\S+ last seen \S+ 127\.0\.0\.1 ".*"\n){2}activity\n {2}\S+ login 127\.0\.0\.1 "/m,
    )
    t.match(out, /\\"x\\""$/m, 'what the client sent is escaped')
    t.notMatch(out, /[^\n\x20-\x7e]|\$2[aby]\$|a secret of mine/)
    await done('suspend', username)
    t.match(await done('show', username), /^state {6}suspended since \d{4}-.*Z$/m)
  })

  t.test('end-sessions ends those of one account, or with --all --yes of all', async (t) => {
    const [one, two] = [await signUp(url), await signUp(url)]
    const second = await logIn(one.username)
    const devices = db.collection('devices')
    const account = toUuid(await idOf(one.username))
    const trust = { $set: { trustedUntil: new Date(Date.now() + 60_000) } }
    await devices.updateMany({ account }, trust)
    t.match(await done('end-sessions', one.username), /^2 sessions were ended\.\nAudit log: /)
    for (const client of [one.client, second.client]) t.ok(await isOut(client))
    t.equal(await devices.countDocuments({ account, trustedUntil: { $exists: true } }), 0)
    t.equal((await two.client.get('v1/session')).statusCode, 200)
    const { client } = await logIn(one.username)
    const { items } = (await client.get<Activity>('v1/account/activity')).body
    t.match(items[1], { event: 'session-revoked', userAgent: 'npm run accounts' })
    const loggedOut = await signUp(url)
    await loggedOut.client.delete('v1/session')
    await devices.updateMany({ account: toUuid(await idOf(loggedOut.username)) }, trust)
    t.match(await run('end-sessions', '--all'), { code: 78, out: '', error: /--yes/ })
    t.equal((await client.get('v1/session')).statusCode, 200)
    t.match(
      await done('end-sessions', '--all', '--yes'),
      /^\d+ sessions were ended, of \d+ accounts\.\nAudit log: .* all accounts\n$/,
    )
    for (const each of [client, two.client]) t.ok(await isOut(each))
    t.equal(await db.collection('sessions').countDocuments(), 0)
    t.equal(await devices.countDocuments({ trustedUntil: { $exists: true } }), 0)
    t.equal(await db.collection('audit').countDocuments({ command: 'end-sessions --all', account: null }), 1)
  })

  t.test('delete needs --yes, and deletes what DELETE /v1/account deletes', async (t) => {
    const [{ client, username }, fan] = [await signUp(url), await signUp(url)]
    const id = await idOf(username)
    const post = await client.post<{ id: string }>('v1/posts', { json: { text: 'to go' } })
    await client.put(`v1/accounts/${fan.username}/follow`)
    t.match(await run('delete', username), { code: 78, out: '', error: /^This deletes the account for good\. Repeat/ })
    t.equal((await client.get('v1/session')).statusCode, 200)
    t.match(
      await done('delete', username, '--yes'),
      /^The account is deleted, with its posts, reactions and follows\.\nAudit/,
    )
    t.ok(await isOut(client))
    t.equal((await logIn(username)).statusCode, 401)
    for (const path of [`v1/accounts/${username}`, `v1/posts/${post.body.id}`])
      t.equal((await fan.client.get(path)).statusCode, 404, path)
    t.equal((await fan.client.get<Own>('v1/account')).body.counts.followers, 0)
    t.equal(await db.collection('posts').countDocuments({ author: toUuid(id) }), 0)
    const taken = await makeClient(url).post('v1/accounts', { json: { username, password } })
    t.equal(taken.statusCode, 409, 'its username is held')
    t.match(await run('delete', username, '--yes'), { code: 1, error: /^No account has the username/ })
    t.match(await entriesOf(id), [{ command: 'delete' }])
  })

  t.test('bad arguments exit with 78 and change nothing', async (t) => {
    const before = await db.collection('audit').countDocuments()
    for (const args of [
      ['suspend'],
      ['suspend', 'a', '--all'],
      ['delete', '--all', '--yes'],
      ['toString', 'a'],
      ['end-sessions'],
    ]) {
      t.match(
        await run(...args),
        { code: 78, out: '', error: /^Give a command and a username\.\n\nUsage/ },
        args.join(' '),
      )
    }
    t.equal(await db.collection('audit').countDocuments(), before)
  })
})
