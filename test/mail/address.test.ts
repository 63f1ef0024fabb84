import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { UUID } from 'mongodb'
import t from 'tap'
import { resetPassword } from '../../src/accounts/reset-password.ts'
import { toUuid } from '../../src/database/ids.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'
import {
  confirmReset,
  drained,
  mailFolder,
  requestReset,
  signUpWithAddress,
  subjects,
  tokenIn,
  verifyAddress,
} from './mailbox.ts'

type Problem = { code: string; detail: string; errors?: { pointer: string }[] }

const verify = (url: string, token: string) =>
  makeClient(url).post<Problem>('v1/email-verification', { json: { token } })

/** A token of the same account that was never sent. */
const otherThan = (token: string) => `${token.slice(0, 42)}${token.endsWith('A') ? 'E' : 'A'}`

const none = { email: null, verifiedAt: null, pending: null }

t.test('an e-mail address', async (t) => {
  const box = await mailFolder(t)
  const { url, db, lines } = await testServer(t, box.env)

  t.test('an address counts once its link was used, and the old one stays until then', async (t) => {
    const ann = await signUp(url)
    const own = async () => (await ann.client.get('v1/account/email')).body
    t.same(await own(), none)
    const put = (email: string) => ann.client.put('v1/account/email', { json: { email } })
    t.match(await put('ann@mail.example'), { statusCode: 403, body: { code: 'confirmation-required' } })
    await ann.client.post('v1/session/confirm', { json: { password } })
    t.equal((await put('ann@mail.example')).statusCode, 202)
    t.same(await own(), { ...none, pending: 'ann@mail.example' })
    const first = tokenIn(await box.receive('ann@mail.example', subjects.verify), 'verify')
    t.equal((await verify(url, first)).statusCode, 204)
    t.match(await own(), { email: 'ann@mail.example', verifiedAt: /^20.*Z$/, pending: null })

    t.equal((await put('Ann@other.example')).statusCode, 202)
    t.match(await own(), { email: 'ann@mail.example', pending: 'Ann@other.example' })
    await box.receive('ann@mail.example', 'Another e-mail address was entered')
    const second = tokenIn(await box.receive('Ann@other.example', subjects.verify), 'verify')
    t.equal((await verify(url, second)).statusCode, 204)
    t.match(await own(), { email: 'Ann@other.example', pending: null })
    await box.receive('ann@mail.example', 'Your e-mail address was replaced')

    t.equal((await ann.client.delete('v1/account/email')).statusCode, 204)
    t.same(await own(), none)
    await box.receive('Ann@other.example', 'Your e-mail address was removed')
    t.equal((await ann.client.delete('v1/account/email')).statusCode, 204, 'there is none any more')
    const { body } = await ann.client.get<{ items: { event: string }[] }>('v1/account/activity')
    const events = body.items.map(({ event }) => event).filter((event) => event.startsWith('email'))
    t.same(events, [
      'email-removed',
      'email-changed',
      'email-change-requested',
      'email-changed',
      'email-change-requested',
    ])
  })

  t.test('removing an address needs a confirmation, and removes a pending one, too', async (t) => {
    const ann = await signUp(url)
    t.match(await ann.client.delete('v1/account/email'), { statusCode: 403, body: { code: 'confirmation-required' } })
    await ann.client.post('v1/session/confirm', { json: { password } })
    await ann.client.put('v1/account/email', { json: { email: 'removed@mail.example' } })
    t.equal((await ann.client.delete('v1/account/email')).statusCode, 204)
    t.same((await ann.client.get('v1/account/email')).body, none)
    const token = tokenIn(await box.receive('removed@mail.example', subjects.verify), 'verify')
    t.equal((await verify(url, token)).statusCode, 404)
  })

  t.test('several accounts can share an address, and nothing tells them of each other', async (t) => {
    const ann = await signUpWithAddress(url, box, 'shared@mail.example')
    const bob = await signUp(url)
    await verifyAddress(url, bob, box, 'SHARED@mail.example')
    for (const { client } of [ann, bob]) t.match((await client.get('v1/account/email')).body, { email: /shared@/i })
    const profile = await bob.client.get(`v1/accounts/${ann.username}`)
    t.notMatch(JSON.stringify(profile.body), /shared|email|@/)
    t.equal((await makeClient(url).get('v1/account/email')).statusCode, 401)
  })

  t.test('what is no plain address is refused, and no header can be smuggled into a mail', async (t) => {
    const { client } = await signUp(url)
    await client.post('v1/session/confirm', { json: { password } })
    const injections = ['\r\n', '\n', '\r', '\0', '\u2028', ' ', '\t', '%0d%0a'].flatMap((end) => [
      `a@mail.example${end}Bcc: b@mail.example`,
      `a${end}Bcc:b@mail.example`,
    ])
    const lists = ['a@mail.example,b@mail.example', 'a@mail.example b@mail.example', 'a@mail.example;b@mail.example']
    const forms = [
      '',
      'a',
      '@',
      'a@',
      '@mail.example',
      'a@b@mail.example',
      'Ann <a@mail.example>',
      '"a b"@mail.example',
    ]
    const more = [
      'a@[127.0.0.1]',
      'a@mail..example',
      'a@mail.example.',
      'ä@mail.example',
      'a@mäil.example',
      '<a@b>',
      'a(b)@c',
    ]
    const long = [`${'a'.repeat(65)}@mail.example`, `a@${'b'.repeat(64)}.example`, `a@${'mail.'.repeat(51)}example`]
    for (const email of [...injections, ...lists, ...forms, ...more, ...long]) {
      const { statusCode, body } = await client.put<Problem>('v1/account/email', { json: { email } })
      t.match(
        { statusCode, body },
        { statusCode: 400, body: { errors: [{ pointer: '/body/email' }] } },
        encodeURIComponent(email),
      )
    }
    for (const json of [{}, { email: null }, { email: ['a@mail.example'] }, { email: 'a@mail.example', name: 'a' }])
      t.equal((await client.put('v1/account/email', { json })).statusCode, 400)
    const longest = `a@${`${'b'.repeat(62)}.`.repeat(3)}${'c'.repeat(63)}`
    t.equal(longest.length, 254)
    for (const email of ["o'hara+x%y@mail.example", 'root@localhost', longest])
      t.equal((await client.put('v1/account/email', { json: { email } })).statusCode, 202, email)
    const mail = await box.receive("o'hara+x%y@mail.example", subjects.verify)
    t.match(mail.text, /^To: o'hara\+x%y@mail\.example$/m)
    t.notMatch(mail.text, /^(Bcc|Cc|X-Mailer):/m)
    t.match(mail.text, /^Auto-Submitted: auto-generated$/m)
  })

  t.test('an account sends five links in an hour, and an address gets five from all accounts', async (t) => {
    const enter = async (email: string, count: number) => {
      const { client } = await signUp(url)
      await client.post('v1/session/confirm', { json: { password } })
      const statuses = []
      for (let n = 0; n < count; n += 1)
        statuses.push(
          (await client.put('v1/account/email', { json: { email: n % 2 ? email : email.toUpperCase() } })).statusCode,
        )
      return { client, statuses }
    }
    const ann = await enter('x@mail.example', 6)
    t.same(ann.statuses, [202, 202, 202, 202, 202, 429])
    const refused = await ann.client.put<Problem>('v1/account/email', { json: { email: 'y@mail.example' } })
    t.match(refused.body.detail, /^At most 5 links to verify an address are allowed in 60 minutes/)
    const bob = await enter('x@mail.example', 1)
    t.same(bob.statuses, [202], 'the same answer: it does not show that others have entered the address')
    t.match((await bob.client.get('v1/account/email')).body, { pending: 'X@MAIL.EXAMPLE' })
    t.same((await enter('x+tag@mail.example', 1)).statuses, [202])
    await drained(db)
    const sent = (await box.list()).filter(({ to }) => /^x(\+tag)?@/i.test(to))
    t.equal(sent.length, 5, 'a mailbox has one limit, whatever stands behind a plus')
    const counters = await db.collection('attempts').find().toArray()
    t.notMatch(JSON.stringify(counters), /mail\.example/i, 'counters hold no address')
  })

  t.test('a session that has ended enters no address', async (t) => {
    const { client } = await signUp(url)
    await client.post('v1/session/confirm', { json: { password } })
    const account = toUuid((await client.get<{ id: string }>('v1/account')).body.id)
    await db.collection('sessions').deleteMany({ account })
    const { statusCode } = await client.put('v1/account/email', { json: { email: 'a@mail.example' } })
    t.equal(statusCode, 401)
    t.equal(await db.collection<{ _id: UUID }>('emails').countDocuments({ _id: account }), 0)
  })

  t.test('a new password ends an address whose link was not used: a thief may have entered it', async (t) => {
    const newPassword = 'brisk oboe fjord twelve'
    const changes: Record<string, (ann: Awaited<ReturnType<typeof signUpWithAddress>>) => Promise<unknown>> = {
      change: ({ client }) => client.put('v1/account/password', { json: { currentPassword: password, newPassword } }),
      reset: async ({ username, email }) => {
        await requestReset(url, username)
        await confirmReset(url, tokenIn(await box.receive(email, subjects.reset), 'reset'), newPassword)
      },
      operator: ({ username }) => resetPassword(db.client, db.databaseName, username, { cost: 4, peppers: [] }),
    }
    for (const [how, change] of Object.entries(changes)) {
      const ann = await signUpWithAddress(url, box)
      const thief = `thief-${how}@mail.example`
      t.equal((await ann.client.put('v1/account/email', { json: { email: thief } })).statusCode, 202)
      const token = tokenIn(await box.receive(thief, subjects.verify), 'verify')
      await change(ann)
      t.match(await verify(url, token), { statusCode: 404, body: { code: 'not-found' } }, how)
      const stored = await db.collection('emails').findOne({ username: ann.username })
      t.match(stored, { address: ann.email, pending: undefined }, how)
    }
  })

  t.test('without SMTP_URL, mails are files that only their owner can read, and the log names each', async (t) => {
    const { email } = await signUpWithAddress(url, box)
    const [name = ''] = await readdir(box.folder)
    t.match(name, /^[0-9a-f-]{36}\.eml$/)
    t.equal((await stat(box.folder)).mode & 0o777, 0o700)
    t.equal((await stat(join(box.folder, name))).mode & 0o777, 0o600)
    t.ok(lines.some((line) => JSON.parse(line).file === join(box.folder, name)))
    const log = lines.join('\n')
    t.notMatch(log, new RegExp(email.split('@')[0] ?? '', 'i'))
    t.notMatch(log, /mail\.example/i)
    for (const mail of await box.list())
      if (mail.subject === subjects.verify) t.notOk(log.includes(tokenIn(mail, 'verify')))
  })
})

t.test('a link works once, also over two servers at the same moment; all others get one answer', async (t) => {
  const box = await mailFolder(t)
  const { urls, db } = await twoServers(t, box.env)
  const ann = await signUp(urls[0])
  await ann.client.post('v1/session/confirm', { json: { password } })
  const put = (email: string) => ann.client.put('v1/account/email', { json: { email } })
  await put('ann@mail.example')
  const token = tokenIn(await box.receive('ann@mail.example', subjects.verify), 'verify')
  const answers = await Promise.all([urls[0], urls[1], urls[0], urls[1]].map((url) => verify(url, token)))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [204, 404, 404, 404])
  await put('b@mail.example')
  const replaced = tokenIn(await box.receive('b@mail.example', subjects.verify), 'verify')
  await put('c@mail.example')
  const expired = tokenIn(await box.receive('c@mail.example', subjects.verify), 'verify')
  for (const wrong of [token, replaced, otherThan(expired)])
    t.equal((await verify(urls[0], wrong)).statusCode, 404, 'while another link is valid')
  await db.collection('emails').updateOne({}, { $set: { 'pending.until': new Date(Date.now() - 1) } })
  t.match((await ann.client.get('v1/account/email')).body, { email: 'ann@mail.example', pending: null })
  const other = await signUp(urls[0])
  const details = new Set<string>()
  const unknown = [token, replaced, expired, otherThan(token), 'x', '', other.username, `${token}=`]
  for (const wrong of unknown) {
    const { statusCode, body } = await verify(urls[1], wrong)
    t.match({ statusCode, body }, { statusCode: 404, body: { code: 'not-found' } }, wrong)
    details.add(body.detail)
  }
  t.equal(details.size, 1)
})

t.test('in production without SMTP_URL, the routes are 403 and say which variable is missing', async (t) => {
  const production = {
    NODE_ENV: 'production',
    BCRYPT_COST: '10',
    PUBLIC_ORIGIN: 'http://127.0.0.1:5000',
    COOKIE_SECURE: 'false',
  }
  const { url, db } = await testServer(t, production)
  const { client, username } = await signUp(url)
  await client.post('v1/session/confirm', { json: { password } })
  const token = 'A'.repeat(43)
  const answers = [
    await client.get('v1/account/email'),
    await client.put('v1/account/email', { json: { email: 'a@mail.example' } }),
    await client.delete('v1/account/email'),
    await client.post('v1/email-verification', { json: { token } }),
    await client.post('v1/password-reset', { json: { username } }),
    await client.post('v1/password-reset/confirm', { json: { token, newPassword: `${password} again` } }),
  ]
  for (const { statusCode, body } of answers)
    t.match({ statusCode, body }, { statusCode: 403, body: { code: 'forbidden', detail: /SMTP_URL/ } })
  t.equal(await db.collection('outbox').countDocuments(), 0)
  t.equal((await client.delete('v1/account')).statusCode, 204)
  t.equal(await db.collection('outbox').countDocuments(), 0)
})
