import t from 'tap'
import { ActivityPage } from '../../src/activity/schema.ts'
import { activityStore } from '../../src/activity/store.ts'
import { toUuid } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { clientWords } from '../../src/mail/client-words.ts'
import { composeMail } from '../../src/mail/compose.ts'
import { emailStore } from '../../src/mail/emails.ts'
import { noticeTexts } from '../../src/mail/notice-texts.ts'
import { mailNotices } from '../../src/mail/notices.ts'
import { outboxStore } from '../../src/mail/outbox.ts'
import { deleteAccount, idOf } from '../accounts/count-invariants.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, makeClient, password, signUp, testServer } from '../helper.ts'
import { softwareAuthenticator } from '../passkeys/authenticator.ts'
import { addPasskey, logInBy, passkeyEnv, origin as passkeyOrigin } from '../passkeys/ceremonies.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { mailFolder, signUpWithAddress, verifyAddress } from './mailbox.ts'

const at = new Date('2026-11-30T01:02:03.456Z')
const cause = {
  at,
  ip: '203.0.113.7',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
}
const origin = 'https://rookery.example'

t.test('notices of a server', async (t) => {
  const box = await mailFolder(t)
  const { url, db } = await testServer(t, { ...box.env, ...passkeyEnv })

  t.test('a login is told if the device is not known', async (t) => {
    const ann = await signUpWithAddress(url, box)
    const json = { username: ann.username, password }
    const known = await ann.client.post('v1/session', { json, headers: { 'user-agent': 'known' } })
    t.equal(known.statusCode, 200)
    const headers = { 'user-agent': 'curl/8.14.1' }
    t.equal((await makeClient(url).post('v1/session', { json, headers })).statusCode, 200)
    const mail = await box.receive(ann.email, 'A new device logged in')
    t.match(mail.text, /From: 127\.0\.0\.1, curl\n/)
    const told = (await box.list()).filter(
      ({ to, subject }) => to === ann.email && subject === 'A new device logged in',
    )
    t.equal(told.length, 1)
  })

  t.test('what changes an account is told to its verified address', async (t) => {
    const ann = await signUpWithAddress(url, box)
    await ann.client.get('v1/account/export', { responseType: 'text' })
    await box.receive(ann.email, 'Your data was exported')
    const authenticator = softwareAuthenticator(passkeyOrigin)
    t.equal((await addPasskey(ann.client, authenticator)).statusCode, 201)
    await box.receive(ann.email, 'A passkey was added')
    t.equal((await logInBy(makeClient(url), authenticator)).statusCode, 200)
    t.equal((await logInBy(makeClient(url), authenticator, { counter: 0 })).statusCode, 401)
    await box.receive(ann.email, 'A passkey was refused')
    const json = { currentPassword: password, newPassword: `${password} again` }
    t.equal((await ann.client.put('v1/account/password', { json })).statusCode, 204)
    await box.receive(ann.email, 'Your password was changed')
    const stale = await signUp(url)
    const [cookie] = await Promise.all([stale.client.jar.getCookieString(`${url}/v1/session/refresh`)])
    await verifyAddress(url, stale, box, 'stale@mail.example')
    const refreshed = await stale.client.post('v1/session/refresh')
    t.ok(setCookies(refreshed.headers).refresh)
    await stale.client.post('v1/session/refresh')
    await makeClient(url).post('v1/session/refresh', { headers: { cookie } })
    await box.receive('stale@mail.example', 'A session was used from a copy')
    await eventually(async () => (await db.collection('outbox').countDocuments()) === 0)
  })

  t.test('an account without a verified address gets no mail', async (t) => {
    const ann = await signUp(url)
    await ann.client.post('v1/session/confirm', { json: { password } })
    await ann.client.put('v1/account/email', { json: { email: 'unverified@mail.example' } })
    await ann.client.get('v1/account/export', { responseType: 'text' })
    t.equal(await deleteAccount(ann), 204)
    await eventually(async () => (await db.collection('outbox').countDocuments()) === 0)
    const toAnn = (await box.list()).filter(({ to }) => to === 'unverified@mail.example')
    t.same(
      toAnn.map(({ subject }) => subject),
      ['Verify your e-mail address'],
    )
  })

  t.test('the notice of a deletion is sent although the account is gone', async (t) => {
    const ann = await signUpWithAddress(url, box)
    t.equal(await deleteAccount(ann), 204)
    t.equal(await db.collection('emails').countDocuments({ username: ann.username }), 0)
    const mail = await box.receive(ann.email, 'Your account was deleted')
    t.match(mail.text, `Hello ${ann.username},`)
  })

  t.test('an export has the address', async (t) => {
    const ann = await signUpWithAddress(url, box)
    t.ok(await idOf(ann))
    const { body } = await ann.client.get('v1/account/export', { responseType: 'text' })
    const records = body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    t.match(
      records.find(({ type }) => type === 'email'),
      { email: ann.email, verifiedAt: /^20/, pending: null },
    )
  })
})

t.test('a notice says what happened, when, from where and what to do, in text and in HTML', async (t) => {
  for (const [event, { subject }] of Object.entries(noticeTexts)) {
    const mail = { kind: 'notice', to: 'a@mail.example', username: 'ann', event, count: 3, ...cause } as const
    const message = composeMail(mail, origin)
    t.equal(message.subject, subject)
    t.match(message.text, /^Hello ann,\n\n/)
    t.match(message.text, /When: 2026-11-30 01:02:03 UTC\nFrom: 203\.0\.113\.7, Firefox on Linux\n/)
    t.match(message.text, /It has happened 3 times since the last mail about it\./)
    t.match(message.text, /\n\nhttps:\/\/rookery\.example\/\n$/)
    for (const line of message.text.split('\n')) t.ok(line.length <= 76, line)
    t.notMatch(message.html, /<img|<script|style=|src=/)
    t.match(message.html, /<a href="https:\/\/rookery\.example\/">/)
    const operator = composeMail({ ...mail, count: 1, ip: '', userAgent: 'npm run accounts' }, origin)
    t.match(operator.text, /From: the operator of this service\n/)
    t.notMatch(operator.text, /happened/)
  }
  t.throws(() => composeMail({ kind: 'notice', to: '', username: '', event: 'unknown', count: 1, ...cause }, origin))
})

t.test('advice against a thief removes what stays after a change of the password', async (t) => {
  const advised = {
    'passkey-added': /log in, remove the passkey, change your password and end the other sessions/,
    'totp-enrolled': /reset your password by mail, and ask the operator of this service to remove the app/,
    'email-changed': /log in at once, enter this address again, change your password and end the other sessions/,
    'email-removed': /log in at once, enter this address again, change your password and end the other sessions/,
    'recovery-codes-replaced': /log in, make new ones, change your password and end the other sessions/,
  }
  for (const [event, advice] of Object.entries(advised)) t.match(noticeTexts[event]?.advice, advice, event)
})

t.test('a link stands alone on its line; what is not ours is escaped in HTML', async (t) => {
  const token = 'T'.repeat(43)
  const verification = composeMail({ kind: 'verification', to: 'a@mail.example', username: 'ann', token }, origin)
  t.match(verification.text, `\n\n${origin}/#verify=${token}\n\n`)
  const reset = composeMail({ kind: 'reset', to: 'a@mail.example', username: '<b>&"\'', token, ...cause }, origin)
  t.match(reset.text, `\n\n${origin}/#reset=${token}\n\n`)
  t.match(reset.html, `<a href="${origin}/#reset=${token}">${origin}/#reset=${token}</a>`)
  t.match(reset.html, '&lt;b&gt;&amp;&quot;&#39;')
})

t.test('a user agent is never shown as its sender wrote it', async (t) => {
  for (const [userAgent, words] of [
    [cause.userAgent, 'Firefox on Linux'],
    ['curl/8.14.1', 'curl'],
    ['', 'another program'],
    ['https://evil.example', 'another program'],
    ['Your account is locked: open https://evil.example (Linux)', 'another program on Linux'],
  ] as const)
    t.equal(clientWords(userAgent), words)
})

t.test('each event of an account is told, or is one of those that need no mail', async (t) => {
  const events: readonly string[] = ActivityPage.shape.items.element.shape.event.options
  const sessions = [
    'login-failed',
    'confirm-failed',
    'second-factor-failed',
    'logout',
    'session-revoked',
    'session-confirmed',
  ]
  // The mail with the link tells of a request.
  const untold = [...sessions, 'account-created', 'password-reset-requested']
  for (const event of events) t.equal(Object.hasOwn(noticeTexts, event), !untold.includes(event), event)
})

t.test('notices of one event are at most one in 15 minutes, and the next says how many there were', async (t) => {
  const { db, client } = await freshDatabase(t)
  const emails = emailStore(db)
  const outbox = outboxStore(db)
  const account = '019ab0f2-7d31-7c44-9a5e-2f6b8c1d0e37'
  const _id = toUuid(account)
  await db
    .collection<{ _id: typeof _id }>('emails')
    .insertOne({ _id, username: 'ann', address: 'a@mail.example' } as never)
  const transact = transactor(client)
  const tell = (event: string, isOn = true) =>
    transact((transaction) => mailNotices({ emails, isOn, outbox }).add(account, event, cause, transaction))
  const counts = async () =>
    (await db.collection('outbox').find().sort({ _id: 1 }).toArray()).map(({ job }) => job.count)
  for (let n = 0; n < 4; n += 1) await tell('exported')
  await tell('suspended')
  await tell('logout')
  await tell('constructor')
  await tell('login', false)
  t.same(await counts(), [1, 1])
  await db
    .collection<{ _id: typeof _id }>('emails')
    .updateOne({ _id }, { $set: { 'noticed.exported.at': new Date(Date.now() - 901_000) } })
  await tell('exported')
  t.same(await counts(), [1, 1, 4])
  await tell('exported')
  t.same(await counts(), [1, 1, 4])
})

t.test('a notice is written in the transaction of what it tells, or not at all', async (t) => {
  const { db, client } = await freshDatabase(t)
  const emails = emailStore(db)
  const account = '019ab0f2-7d31-7c44-9a5e-2f6b8c1d0e37'
  const _id = toUuid(account)
  await db
    .collection<{ _id: typeof _id }>('emails')
    .insertOne({ _id, username: 'ann', address: 'a@mail.example' } as never)
  await db.createCollection('outbox')
  await db.createCollection('activity')
  const activity = activityStore(db, mailNotices({ emails, isOn: true, outbox: outboxStore(db) }))
  const failing = transactor(client)(async (transaction) => {
    await activity.record(account, 'exported', cause, transaction)
    throw new Error('the rest fails')
  })
  await t.rejects(failing, { message: 'the rest fails' })
  t.equal(await db.collection('outbox').countDocuments(), 0)
  await transactor(client)((transaction) => activity.record(account, 'exported', cause, transaction))
  t.equal(await db.collection('outbox').countDocuments(), 1)
  t.equal(await db.collection('activity').countDocuments(), 1)
})
