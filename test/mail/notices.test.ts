import type { UUID } from 'mongodb'
import t from 'tap'
import { ActivityPage } from '../../src/activity/schema.ts'
import { activityStore } from '../../src/activity/store.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
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
import { beginEnrolment, enrol, firstStep, secondStep, wrongCodeOf } from '../second-factor/authenticator.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { drained, mailFolder, signUpWithAddress, verifyAddress } from './mailbox.ts'

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
    await drained(db)
  })

  t.test('a wrong code after the right password is told, and one at an enrolment is not', async (t) => {
    const ann = await signUpWithAddress(url, box)
    const { secret } = await beginEnrolment(ann.client)
    const json = { code: wrongCodeOf(secret) }
    t.equal((await ann.client.post('v1/second-factor/totp/confirm', { json })).statusCode, 401)
    const enrolled = await enrol(ann.client)
    const subject = 'A wrong code was given after your password'
    const told = async () => (await box.list()).filter((mail) => mail.to === ann.email && mail.subject === subject)
    await box.receive(ann.email, 'A second factor was added')
    t.same(await told(), [])
    const login = makeClient(url)
    await firstStep(login, ann.username)
    t.equal((await secondStep(login, { code: wrongCodeOf(enrolled.secret) })).statusCode, 401)
    const mail = await box.receive(ann.email, subject)
    t.match(mail.text, /another person knows your password: change it/)
    t.equal((await told()).length, 1)
  })

  t.test('a second notice of an event is sent without a third', async (t) => {
    const ann = await signUpWithAddress(url, box)
    for (let n = 0; n < 2; n += 1) await ann.client.get('v1/account/export', { responseType: 'text' })
    const waiting = { 'job.to': ann.email, dueAt: { $gt: new Date() } }
    await eventually(async () => (await db.collection('outbox').countDocuments({ ...waiting, tries: 0 })) === 1)
    await db.collection('outbox').updateOne({ ...waiting, tries: 0 }, { $set: { dueAt: new Date() } })
    await box.receive(ann.email, 'Your data was exported', 2)
    t.pass()
  })

  t.test('an account without a verified address gets no mail', async (t) => {
    const ann = await signUp(url)
    await ann.client.post('v1/session/confirm', { json: { password } })
    await ann.client.put('v1/account/email', { json: { email: 'unverified@mail.example' } })
    await ann.client.get('v1/account/export', { responseType: 'text' })
    t.equal(await deleteAccount(ann), 204)
    await drained(db)
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
    'password-changed': /Then remove passkeys that you do not know/,
    'password-reset': /remove passkeys that you do not know: a new password does not remove them/,
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
  const sessions = ['login-failed', 'confirm-failed', 'logout', 'session-revoked', 'session-confirmed']
  // The mail with the link tells of a request.
  const untold = [...sessions, 'account-created', 'password-reset-requested']
  for (const event of events) t.equal(Object.hasOwn(noticeTexts, event), !untold.includes(event), event)
})

t.test('notices of one event are at most one in 15 minutes, and what follows within them shares one', async (t) => {
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
  /** Each with its event, its count, and in how many quarters of an hour it is due. */
  const mails = async () =>
    (await db.collection('outbox').find().sort({ dueAt: 1, _id: 1 }).toArray()).map(({ job, dueAt }) => [
      job.event,
      job.count,
      Math.max(0, Math.round((dueAt - Date.now()) / 900_000)),
    ])
  /** As if so many minutes had passed. */
  const pass = async (event: string, minutes: number) => {
    const earlier = (at: string) => ({ $subtract: [`$${at}`, minutes * 60_000] })
    await db.collection('outbox').updateMany({ 'job.event': event }, [{ $set: { dueAt: earlier('dueAt') } }])
    const noticed = `noticed.${event}.at`
    await db.collection('emails').updateMany({}, [{ $set: { [noticed]: earlier(noticed) } }])
  }
  for (let n = 0; n < 4; n += 1) await tell('exported')
  await tell('suspended')
  for (const untold of ['logout', 'constructor']) await tell(untold)
  await tell('login', false)
  const sent = [
    ['exported', 1, 0],
    ['suspended', 1, 0],
  ]
  t.same(await mails(), [...sent, ['exported', 3, 1]])
  await pass('exported', 15)
  const leased = await Promise.all([outbox.lease(), outbox.lease(), outbox.lease()])
  t.same(
    leased.map((mail) => mail?.job && 'count' in mail.job && mail.job.count).sort(),
    [1, 1, 3],
    'it waits for no other',
  )
  await db.collection('outbox').deleteMany({})
  for (let n = 0; n < 2; n += 1) await tell('exported')
  t.same(await mails(), [['exported', 2, 1]])
  await pass('exported', 31)
  await tell('exported')
  t.same(await mails(), [
    ['exported', 1, 0],
    ['exported', 2, 0],
  ])

  await db.collection('outbox').deleteMany({})
  for (let n = 0; n < 3; n += 1) await tell('second-factor-failed')
  t.same(await mails(), [
    ['second-factor-failed', 1, 0],
    ['second-factor-failed', 2, 24],
  ])
})

t.test('links are sent first, then the notices of accounts that have had fewer', async (t) => {
  const { db, client } = await freshDatabase(t)
  const emails = emailStore(db)
  const outbox = outboxStore(db)
  const notices = mailNotices({ emails, isOn: true, outbox })
  const transact = transactor(client)
  const [busy, ann] = [newId(), newId()]
  const documents = [busy, ann].map((id) => ({ _id: toUuid(id), username: 'ann', address: 'a@mail.example' }))
  await db.collection<{ _id: UUID }>('emails').insertMany(documents)
  const tell = (account: string, event: string) =>
    transact((transaction) => notices.add(account, event, cause, transaction))
  for (const event of ['login', 'passkey-added', 'exported']) await tell(busy, event)
  await tell(ann, 'email-removed')
  await transact((transaction) =>
    outbox.add({ kind: 'reset-request', account: ann, ...cause }, new Date(), transaction),
  )
  const sent: unknown[] = []
  for (let leased = await outbox.lease(); leased; leased = await outbox.lease())
    sent.push(leased.job && 'event' in leased.job ? leased.job.event : leased.kind)
  t.same(sent, ['reset-request', 'login', 'email-removed', 'passkey-added', 'exported'])
})

t.test('a notice that another process is sending early counts no further event', async (t) => {
  const { db, client } = await freshDatabase(t)
  const outbox = outboxStore(db)
  const at = new Date()
  const job = { kind: 'notice', to: 'a@mail.example', username: 'ann', event: 'exported', count: 1, ...cause } as const
  const transact = transactor(client)
  const id = await transact((transaction) => outbox.add(job, at, transaction, { dueAt: at }))
  const repeat = () => transact((transaction) => outbox.repeat(id, { ...cause, ip: '203.0.113.8' }, transaction))
  t.same(await repeat(), { outcome: 'repeated' })
  const leased = await outbox.lease()
  t.match(leased?.job, { count: 2, ip: '203.0.113.8' })
  t.same(await repeat(), { outcome: 'not-found' })
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
