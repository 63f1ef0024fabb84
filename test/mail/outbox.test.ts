import type { Db, UUID } from 'mongodb'
import t from 'tap'
import { newId, toUuid } from '../../src/database/ids.ts'
import { mailBackOffMs } from '../../src/mail/sender.ts'
import { eventually } from '../eventually.ts'
import { password, signUp, testServer } from '../helper.ts'
import { sharedKey, twoServers } from '../sessions/servers.ts'
import { startMailServer } from './mail-server.ts'
import { subjects } from './mailbox.ts'

const outboxOf = (db: Db) => db.collection<{ dueAt: Date; tries: number; giveUpAt: Date }>('outbox')
const emptied = (db: Db) => eventually(async () => (await outboxOf(db).countDocuments()) === 0)
const tried = (db: Db) => eventually(async () => ((await outboxOf(db).findOne())?.tries ?? 0) > 0)

async function enterAddress(url: string, email: string) {
  const user = await signUp(url)
  await user.client.post('v1/session/confirm', { json: { password } })
  const { statusCode } = await user.client.put('v1/account/email', { json: { email } })
  if (statusCode !== 202) throw new Error(`PUT answered ${statusCode}`)
  return user
}

t.test('mails go to the mail server, each once, although two processes send', async (t) => {
  const server = await startMailServer(t)
  const { urls, db } = await twoServers(t, server.env)
  const addresses = Array.from({ length: 12 }, (_, n) => `user${n}@mail.example`)
  await Promise.all(addresses.map((address, n) => enterAddress(urls[n % 2] ?? '', address)))
  await emptied(db)
  t.same(server.received.map(({ to }) => to).sort(), addresses.sort())
  const [mail] = server.received
  t.match(mail, { subject: subjects.verify, id: /^<[0-9a-f-]{36}@rookery\.example>$/ })
  t.match(mail?.text, /^From: Rookery <no-reply@rookery\.example>$/m)
})

t.test('a user and its password are in SMTP_URL', async (t) => {
  const logins: unknown[] = []
  const server = await startMailServer(t, undefined, {
    authOptional: false,
    onAuth: ({ username, password: word }, _session, done) => {
      logins.push([username, word])
      done(null, { user: username })
    },
  })
  const SMTP_URL = server.env.SMTP_URL.replace('//', '//rookery%40mail:p%2Fw@')
  const { url, db } = await testServer(t, { ...server.env, SMTP_URL })
  await enterAddress(url, 'ann@mail.example')
  await emptied(db)
  t.same(logins, [['rookery@mail', 'p/w']])
  t.equal(server.received.length, 1)
})

t.test('what the mail server refuses for now is tried again, and holds up no other mail', async (t) => {
  let isRefusing = true
  const server = await startMailServer(t, (phase, to) =>
    isRefusing && phase === 'recipient' && to.startsWith('ann') ? 450 : 'accept',
  )
  const { app, url, db, lines } = await testServer(t, server.env)
  await enterAddress(url, 'ann@mail.example')
  await tried(db)
  await enterAddress(url, 'bob@mail.example')
  await eventually(() => server.received.length === 1)
  t.equal(server.received[0]?.to, 'bob@mail.example')
  isRefusing = false
  await emptied(db)
  t.equal(server.received[1]?.to, 'ann@mail.example')
  const failures = lines.map((line) => JSON.parse(line)).filter(({ msg }) => /^mail not sent/.test(msg))
  t.match(failures[0], { code: 'EENVELOPE', responseCode: 450, command: 'RCPT TO', kind: 'verification', tries: 1 })
  t.notMatch(lines.join('\n'), /mail\.example/)
  if (!app) return
  const metrics = await app.metrics.metrics()
  t.match(metrics, /^rookery_mails_total\{result="sent"\} 2$/m)
  t.match(metrics, /^rookery_mails_total\{result="failed"\} [1-9]/m)
  t.match(metrics, /^rookery_mails_total\{result="given-up"\} 0$/m)
  t.match(metrics, /^rookery_mails_pending 0$/m)
  t.match(metrics, /^rookery_mails_oldest_age_seconds 0$/m)
})

t.test('what the mail server refuses for good is given up, in each phase that names the recipient', async (t) => {
  for (const refused of ['recipient', 'data'] as const) {
    const server = await startMailServer(t, (phase) => (phase === refused ? 550 : 'accept'))
    const { app, url, db, lines } = await testServer(t, server.env)
    await enterAddress(url, 'ann@mail.example')
    await emptied(db)
    t.equal(server.asked.filter((phase) => phase === refused).length, 1, refused)
    t.match(
      lines.find((line) => line.includes('mail given up')),
      /"responseCode":550/,
    )
    t.notMatch(lines.join('\n'), /mail\.example/)
    if (app) t.match(await app.metrics.metrics(), /^rookery_mails_total\{result="given-up"\} 1$/m)
  }
})

t.test('a refusal of the sender or of the connection may be a fault of ours, which the operator repairs', async (t) => {
  for (const refused of ['connect', 'mail'] as const) {
    const server = await startMailServer(t, (phase) => (phase === refused ? 550 : 'accept'))
    const { url, db } = await testServer(t, server.env)
    await enterAddress(url, 'ann@mail.example')
    await tried(db)
    t.equal(await outboxOf(db).countDocuments(), 1, refused)
  }
})

t.test('a mail whose answer is lost is sent again, with the same Message-ID', async (t) => {
  let isDropping = true
  const server = await startMailServer(t, (phase) => (phase === 'data' && isDropping ? 'drop' : 'accept'))
  const { url, db } = await testServer(t, server.env)
  await enterAddress(url, 'ann@mail.example')
  await eventually(() => server.taken.length > 0)
  isDropping = false
  await emptied(db)
  t.ok(server.taken.length >= 2)
  t.equal(new Set(server.taken.map(({ id }) => id)).size, 1)
  t.equal(server.received.length, 1)
})

t.test('a mail that is too late is given up', async (t) => {
  const server = await startMailServer(t, () => 450)
  const { app, url, db } = await testServer(t, server.env)
  await enterAddress(url, 'ann@mail.example')
  await tried(db)
  await outboxOf(db).updateOne({}, { $set: { giveUpAt: new Date(Date.now() - 1), dueAt: new Date(0) } })
  await emptied(db)
  t.equal(server.taken.length, 0)
  if (app) t.match(await app.metrics.metrics(), /^rookery_mails_total\{result="given-up"\} 1$/m)
})

t.test('what a process leased before it was killed is sent by another, once the lease is over', async (t) => {
  const server = await startMailServer(t)
  const { db, url } = await testServer(t, { ...server.env, ...sharedKey })
  const leased = { dueAt: new Date(Date.now() + 120_000), tries: 1, lease: 'of another process' }
  await db.collection<{ _id: UUID }>('outbox').insertOne({
    _id: toUuid(newId()),
    job: { kind: 'verification', to: 'ann@mail.example', username: 'ann', token: 'T'.repeat(43) },
    giveUpAt: new Date(Date.now() + 3_600_000),
    ...leased,
  } as { _id: UUID })
  await enterAddress(url, 'bob@mail.example')
  await eventually(() => server.received.length > 0)
  const ofAnn = { 'job.to': 'ann@mail.example' }
  t.match(await outboxOf(db).findOne(ofAnn), { tries: 1 })
  await outboxOf(db).updateOne(ofAnn, { $set: { dueAt: new Date() } })
  await emptied(db)
  t.same(
    server.received.map(({ to }) => to),
    ['bob@mail.example', 'ann@mail.example'],
  )
})

t.test('a mail server that does not answer holds up no request, no other mail and no shutdown', async (t) => {
  const server = await startMailServer(t, (_phase, to) => (to.startsWith('ann') ? 'stall' : 'accept'))
  const { app, url, db } = await testServer(t, server.env)
  await enterAddress(url, 'ann@mail.example')
  await eventually(() => server.asked.includes('recipient'))
  await enterAddress(url, 'bob@mail.example')
  await eventually(() => server.received.length === 1)
  if (!app) return
  await app.close()
  const left = await outboxOf(db).find().toArray()
  t.equal(left.length, 1)
  t.ok(
    left.every(({ dueAt }) => dueAt.getTime() < Date.now() + 60_000),
    'another process can have it at once',
  )
})

t.test('the delay begins at a second, doubles, and is an hour at most', async (t) => {
  t.same([1, 2, 3, 12, 13, 30].map(mailBackOffMs), [1_000, 2_000, 4_000, 2_048_000, 3_600_000, 3_600_000])
})
