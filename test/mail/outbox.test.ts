import { Binary, type Db, type UUID } from 'mongodb'
import t from 'tap'
import { newId, toUuid } from '../../src/database/ids.ts'
import { mailBackOffMs } from '../../src/mail/sender.ts'
import { eventually } from '../eventually.ts'
import { password, signUp, testServer } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'
import { type Answer, type Phase, startMailServer } from './mail-server.ts'
import { subjects, tokenIn } from './mailbox.ts'

const outboxOf = (db: Db) => db.collection<{ dueAt: Date; tries: number; giveUpAt: Date }>('outbox')
const emptied = (db: Db) => eventually(async () => (await outboxOf(db).countDocuments()) === 0)

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

t.test('a mail that is not sent at once', async (t) => {
  let answer: (phase: Phase, to: string) => Answer = () => 'accept'
  const server = await startMailServer(t, (phase, to) => answer(phase, to))
  const { app, url, db, lines } = await testServer(t, server.env)
  const outbox = outboxOf(db)
  const of = (to: string) => ({ 'job.to': to })
  const isLeft = async (to: string) => (await outbox.countDocuments(of(to))) === 1
  const isTried = (to: string) => eventually(async () => ((await outbox.findOne(of(to)))?.tries ?? 0) > 0)
  const taken = (address: string) => server.taken.filter(({ to }) => to === address)
  const received = (address: string) => server.received.filter(({ to }) => to === address)
  const logged = (message: string) => lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === message)
  const results = async () => {
    const text = (await app?.metrics.metrics()) ?? ''
    const count = (result: string) =>
      Number(new RegExp(`^rookery_mails_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(text)?.[1])
    return { sent: count('sent'), failed: count('failed'), 'given-up': count('given-up') }
  }

  t.test('is tried again after a refusal for now, and holds up no other mail', async (t) => {
    answer = (phase, to) => (phase === 'recipient' && to.startsWith('ann') ? 450 : 'accept')
    await enterAddress(url, 'ann@mail.example')
    await isTried('ann@mail.example')
    await enterAddress(url, 'bob@mail.example')
    await eventually(() => received('bob@mail.example').length === 1)
    t.same(taken('ann@mail.example'), [])
    answer = () => 'accept'
    await emptied(db)
    t.equal(received('ann@mail.example').length, 1)
    const [failure] = logged('mail not sent, it will be tried again')
    t.match(failure, { code: 'EENVELOPE', responseCode: 450, command: 'RCPT TO', kind: 'verification', tries: 1 })
    if (!app) return
    await eventually(async () => (await results()).sent === 2)
    t.equal((await results())['given-up'], 0)
    t.ok((await results()).failed >= 1)
    t.match(await app.metrics.metrics(), /^rookery_mails_pending 0$/m)
    t.match(await app.metrics.metrics(), /^rookery_mails_oldest_age_seconds 0$/m)
  })

  t.test('is given up after a refusal for good, in each phase that names the recipient', async (t) => {
    for (const refused of ['recipient', 'data'] as const) {
      const before = server.asked.length
      const given = (await results())['given-up']
      answer = (phase) => (phase === refused ? 550 : 'accept')
      await enterAddress(url, `${refused}@mail.example`)
      await emptied(db)
      t.equal(server.asked.slice(before).filter((phase) => phase === refused).length, 1, refused)
      t.match(logged('mail given up').at(-1), { responseCode: 550, tries: 1 })
      // Of the test before, one may be counted only now.
      if (app) await eventually(async () => ((await results())['given-up'] ?? 0) > (given ?? 0))
    }
  })

  t.test('stays after a refusal of the sender or the connection, which the operator may repair', async (t) => {
    for (const refused of ['connect', 'mail'] as const) {
      answer = (phase) => (phase === refused ? 550 : 'accept')
      const to = `${refused}@mail.example`
      await enterAddress(url, to)
      await isTried(to)
      t.ok(await isLeft(to), refused)
      answer = () => 'accept'
      await emptied(db)
      t.equal(received(to).length, 1)
    }
  })

  t.test('is sent again if the answer was lost, with the same Message-ID', async (t) => {
    answer = (phase) => (phase === 'data' ? 'drop' : 'accept')
    await enterAddress(url, 'lost@mail.example')
    await eventually(() => taken('lost@mail.example').length > 0)
    answer = () => 'accept'
    await emptied(db)
    t.ok(taken('lost@mail.example').length >= 2)
    t.equal(new Set(taken('lost@mail.example').map(({ id }) => id)).size, 1)
    t.equal(received('lost@mail.example').length, 1)
  })

  t.test('holds no link that works for a reader of the database', async (t) => {
    const to = 'waiting@mail.example'
    answer = () => 450
    await enterAddress(url, to)
    await isTried(to)
    const waiting = await outbox.findOne(of(to))
    answer = () => 'accept'
    await outbox.updateOne(of(to), { $set: { dueAt: new Date(0) } })
    await emptied(db)
    const token = tokenIn({ text: received(to)[0]?.text ?? '' }, 'verify')
    t.notOk(JSON.stringify(waiting).includes(token))
  })

  t.test('is left for later by a process without the key of its link, and then given up', async (t) => {
    const to = 'unreadable@mail.example'
    answer = () => 'accept'
    await db.collection<{ _id: UUID }>('outbox').insertOne({
      _id: toUuid(newId()),
      job: { kind: 'verification', to, username: 'ann', token: new Binary(Buffer.alloc(71)) },
      giveUpAt: new Date(Date.now() + 3_600_000),
      dueAt: new Date(0),
      tries: 0,
    } as { _id: UUID })
    await isTried(to)
    await outbox.updateOne(of(to), { $set: { giveUpAt: new Date(Date.now() - 1), dueAt: new Date(0) } })
    await emptied(db)
    t.same(received(to), [])
  })

  t.test('is given up when it is too late', async (t) => {
    answer = () => 450
    const given = (await results())['given-up']
    await enterAddress(url, 'late@mail.example')
    await isTried('late@mail.example')
    await outbox.updateOne(of('late@mail.example'), {
      $set: { giveUpAt: new Date(Date.now() - 1), dueAt: new Date(0) },
    })
    await emptied(db)
    t.same(taken('late@mail.example'), [])
    // Of the test before, one may be counted only now.
    if (app) await eventually(async () => ((await results())['given-up'] ?? 0) > (given ?? 0))
  })

  t.test('is left to the process that has it, and sent by another once its lease is over', async (t) => {
    answer = () => 'accept'
    const to = 'leased@mail.example'
    const lease = { dueAt: new Date(Date.now() + 120_000), tries: 1, lease: toUuid(newId()) }
    await db.collection<{ _id: UUID }>('outbox').insertOne({
      _id: toUuid(newId()),
      job: { kind: 'notice', to, username: 'ann', event: 'login', count: 1, at: new Date(), ip: '', userAgent: '' },
      giveUpAt: new Date(Date.now() + 3_600_000),
      ...lease,
    } as { _id: UUID })
    await enterAddress(url, 'other@mail.example')
    await eventually(() => received('other@mail.example').length > 0)
    t.match(await outbox.findOne(of(to)), { tries: 1 })
    await outbox.updateOne(of(to), { $set: { dueAt: new Date() } })
    await emptied(db)
    t.equal(received(to).length, 1)
  })

  t.test('leaves no address in the log', async (t) => {
    t.notMatch(lines.join('\n'), /@mail\.example/)
  })
})

t.test('a mail server that does not answer holds up no request, no other mail and no shutdown', async (t) => {
  const server = await startMailServer(t, (_phase, to) => (to.startsWith('ann') ? 'stall' : 'accept'))
  const { app, url, db, lines } = await testServer(t, server.env)
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
  t.notMatch(lines.join('\n'), /mail not sent/)
})

t.test('the delay begins at a second, doubles, and is an hour at most', async (t) => {
  t.same([1, 2, 3, 12, 13, 30].map(mailBackOffMs), [1_000, 2_000, 4_000, 2_048_000, 3_600_000, 3_600_000])
})
