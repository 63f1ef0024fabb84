import type { CommandStartedEvent } from 'mongodb'
import t from 'tap'
import { toUuid } from '../../src/database/ids.ts'
import { idOf } from '../accounts/count-invariants.ts'
import { freshDatabase, makeClient, password, signUp, testServer } from '../helper.ts'
import { enrol } from '../second-factor/authenticator.ts'
import { serverOn, twoServers } from '../sessions/servers.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { confirmReset, drained, mailFolder, requestReset, signUpWithAddress, subjects, tokenIn } from './mailbox.ts'

type Observed = { on(event: 'commandStarted', listener: (event: CommandStartedEvent) => void): unknown }

const newPassword = 'brisk oboe fjord twelve'
const logIn = (url: string, username: string, word: string) =>
  makeClient(url).post('v1/session', { json: { username, password: word } })

/** What a wrong, used or expired link gets, whatever is wrong. */
const refusal = { statusCode: 401, body: { code: 'invalid-credentials' } }

t.test('a reset', async (t) => {
  const box = await mailFolder(t)
  const { url, db, lines } = await testServer(t, box.env)

  t.test('a link sets a new password, ends every session and begins none', async (t) => {
    const ann = await signUpWithAddress(url, box)
    const id = await idOf(ann)
    const asked = await requestReset(url, ann.username.toUpperCase())
    t.match([asked.statusCode, asked.body], [202, ''])
    const mail = await box.receive(ann.email, subjects.reset)
    t.match(mail.text, /From: 127\.0\.0\.1, another program/)
    t.match(mail.text, /30 minutes/)
    const token = tokenIn(mail, 'reset')
    const done = await confirmReset(url, token, newPassword)
    t.equal(done.statusCode, 204)
    t.same(Object.keys(setCookies(done.headers)), ['device'], 'no session')
    t.equal((await ann.client.get('v1/session')).statusCode, 401)
    t.equal(await db.collection('sessions').countDocuments({ account: toUuid(id) }), 0)
    t.equal(await db.collection('devices').countDocuments({ account: toUuid(id) }), 1, 'this browser')
    t.equal((await logIn(url, ann.username, password)).statusCode, 401)
    t.equal((await logIn(url, ann.username, newPassword)).statusCode, 200)
    await box.receive(ann.email, 'Your password was reset')
    t.match(await confirmReset(url, token, `${newPassword} again`), refusal, 'a link works once')
    t.equal((await logIn(url, ann.username, newPassword)).statusCode, 200)
    const log = lines.join('\n')
    t.notOk(log.includes(token))
    t.notOk(log.includes(ann.email))
    const events = lines.map((line) => JSON.parse(line).event)
    for (const event of ['authn_password_reset', 'authn_password_change', 'authn_password_reset_fail'])
      t.ok(events.includes(event), event)
  })

  t.test('a link never replaces the second factor, nor gives it more tries', async (t) => {
    const ann = await signUpWithAddress(url, box)
    const account = await idOf(ann)
    await enrol(ann.client)
    const taken = [{ id: 'wrong', at: new Date() }]
    const _id = `failed-codes-by-account:${account}`
    const attempts = db.collection<{ _id: string }>('attempts')
    await attempts.updateOne({ _id }, { $set: { taken, until: new Date(Date.now() + 900_000) } }, { upsert: true })
    await requestReset(url, ann.username)
    const token = tokenIn(await box.receive(ann.email, subjects.reset), 'reset')
    const browser = makeClient(url)
    const json = { token, newPassword }
    t.equal((await browser.post('v1/password-reset/confirm', { json })).statusCode, 204)
    const login = await browser.post('v1/session', { json: { username: ann.username, password: newPassword } })
    t.match(login, { statusCode: 401, body: { code: 'second-factor-required' } })
    t.equal((await browser.get('v1/session')).statusCode, 401)
    t.match(await attempts.findOne({ _id }), { taken: [{ id: 'wrong' }] })
  })

  t.test('a weak password is refused, and does not use the link', async (t) => {
    const ann = await signUpWithAddress(url, box)
    await requestReset(url, ann.username)
    const token = tokenIn(await box.receive(ann.email, subjects.reset), 'reset')
    for (const weak of ['short', `${ann.username} is my name`, 'passwordpassword'])
      t.match(await confirmReset(url, token, weak), {
        statusCode: 400,
        body: { errors: [{ pointer: '/body/newPassword' }] },
      })
    t.equal((await confirmReset(url, token, newPassword)).statusCode, 204)
  })

  t.test('links that were replaced, have expired, or are of an earlier password get one answer', async (t) => {
    const emails = db.collection('emails')
    const ann = await signUpWithAddress(url, box)
    const own = { username: ann.username }
    const links: string[] = []
    const nextLink = async () => {
      await requestReset(url, ann.username)
      links.push(tokenIn(await box.receive(ann.email, subjects.reset, links.length + 1), 'reset'))
      return links.at(-1) ?? ''
    }
    const replaced = await nextLink()
    await emails.updateOne(own, { $set: { 'reset.at': new Date(Date.now() - 16 * 60_000) } })
    const voided = await nextLink()
    t.match(await confirmReset(url, replaced, newPassword), refusal)
    const json = { currentPassword: password, newPassword }
    t.equal((await ann.client.put('v1/account/password', { json })).statusCode, 204)
    t.match(await confirmReset(url, voided, `${newPassword} again`), refusal)
    const expired = await nextLink()
    await emails.updateOne(own, { $set: { 'reset.at': new Date(Date.now() - 30 * 60_000) } })
    t.match(await confirmReset(url, expired, `${newPassword} again`), refusal)
    const unknown = [`${expired.slice(0, 42)}A`, 'x', '', 'A'.repeat(43)]
    const answers = await Promise.all(
      [...links, ...unknown].map((link) => confirmReset(url, link, `${newPassword} again`)),
    )
    const described = answers.map(({ statusCode, body }) => JSON.stringify([statusCode, { ...body, instance: '' }]))
    t.equal(new Set(described).size, 1)
    t.equal((await logIn(url, ann.username, newPassword)).statusCode, 200)
  })

  t.test('strangers can neither fill a mailbox nor void a link that is about to be used', async (t) => {
    const ann = await signUpWithAddress(url, box)
    await requestReset(url, ann.username)
    const token = tokenIn(await box.receive(ann.email, subjects.reset), 'reset')
    const answers = await Promise.all(Array.from({ length: 10 }, () => requestReset(url, ann.username)))
    for (const { statusCode } of answers) t.equal(statusCode, 202)
    await drained(db)
    const links = (await box.list()).filter(({ to, subject }) => to === ann.email && subject === subjects.reset)
    t.equal(links.length, 1)
    // 14 minutes later.
    const older = { $set: { 'reset.at': new Date(Date.now() - 14 * 60_000) } }
    await db.collection('emails').updateOne({ username: ann.username }, older)
    await requestReset(url, ann.username)
    await drained(db)
    t.equal((await confirmReset(url, token, newPassword)).statusCode, 204, 'the only link still works')
    await requestReset(url, ann.username)
    await box.receive(ann.email, subjects.reset, 2)
  })

  t.test('only a verified address gets a link', async (t) => {
    const ann = await signUp(url)
    await ann.client.post('v1/session/confirm', { json: { password } })
    await ann.client.put('v1/account/email', { json: { email: 'unverified@mail.example' } })
    await box.receive('unverified@mail.example', subjects.verify)
    const bob = await signUp(url)
    for (const name of [ann.username, bob.username, 'no_such_account', 'no name', '', 'x'.repeat(256)])
      t.match(await requestReset(url, name), { statusCode: 202, body: '' }, name)
    t.equal((await requestReset(url, 'x'.repeat(257))).statusCode, 400)
    await drained(db)
    const toAnn = (await box.list()).filter(({ to }) => to === 'unverified@mail.example')
    t.equal(toAnn.length, 1)
    t.equal(await db.collection('emails').countDocuments({ username: ann.username, reset: { $exists: true } }), 0)
  })

  t.test('a link that went to an address which was replaced or removed is void', async (t) => {
    for (const how of ['replaced', 'removed']) {
      const ann = await signUpWithAddress(url, box)
      await requestReset(url, ann.username)
      const token = tokenIn(await box.receive(ann.email, subjects.reset), 'reset')
      if (how === 'removed') await ann.client.delete('v1/account/email')
      else {
        const email = `new-${ann.email}`
        await ann.client.put('v1/account/email', { json: { email } })
        const link = tokenIn(await box.receive(email, subjects.verify), 'verify')
        t.equal((await makeClient(url).post('v1/email-verification', { json: { token: link } })).statusCode, 204)
      }
      t.match(await confirmReset(url, token, newPassword), refusal, how)
    }
  })
})

t.test('of two servers that get one link at the same moment, one sets the password', async (t) => {
  const box = await mailFolder(t)
  const { urls } = await twoServers(t, box.env)
  const ann = await signUpWithAddress(urls[0], box)
  await requestReset(urls[1], ann.username)
  const token = tokenIn(await box.receive(ann.email, subjects.reset), 'reset')
  const words = ['one', 'two', 'three', 'four'].map((word) => `${newPassword} ${word}`)
  const answers = await Promise.all(words.map((word, n) => confirmReset(urls[n % 2] ?? '', token, word)))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [204, 401, 401, 401])
  for (const [n, word] of words.entries())
    t.equal((await logIn(urls[0], ann.username, word)).statusCode, answers[n]?.statusCode === 204 ? 200 : 401)
})

t.test('requests are limited for each address and network, and attempts to use a link, too', async (t) => {
  const limits = { LIMIT_RESETS_PER_ADDRESS: '3', LIMIT_RESETS_PER_NETWORK: '4', TRUSTED_PROXIES: '127.0.0.1' }
  const box = await mailFolder(t)
  const { url } = await testServer(t, { ...box.env, ...limits })
  const from = (ip: string, path: string, json: object) =>
    makeClient(url).post(path, { json, headers: { 'x-forwarded-for': ip } })
  const statuses = []
  for (const ip of ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2', '192.0.2.3', '198.51.100.1'])
    statuses.push((await from(ip, 'v1/password-reset', { username: 'no_such_account' })).statusCode)
  t.same(statuses, [202, 202, 202, 429, 202, 429, 202])
  for (const path of ['v1/password-reset/confirm', 'v1/email-verification']) {
    const json = { token: 'x', ...(path.endsWith('confirm') && { newPassword }) }
    const attempts = []
    for (let n = 0; n < 31; n += 1) attempts.push((await from('203.0.113.1', path, json)).statusCode)
    t.same([attempts.indexOf(429), attempts.at(-1)], [30, 429], path)
  }
})

t.test('a request over the limit writes nothing', async (t) => {
  const box = await mailFolder(t)
  const { connection } = await freshDatabase(t)
  let writes = 0
  const observeClient = (client: Observed) =>
    void client.on('commandStarted', ({ command }) => {
      if (command.findAndModify === 'throttle' || command.update === 'throttle') writes += 1
    })
  const url = await serverOn(t, { ...connection, observeClient }, { ...box.env, LIMIT_RESETS_PER_ADDRESS: '1' })
  const answers = []
  for (const _ of Array(5)) {
    const before = writes
    const { statusCode } = await requestReset(url, 'no_such_account')
    answers.push({ statusCode, isWritten: writes > before })
  }
  t.match(answers[0], { statusCode: 202, isWritten: true })
  t.same(answers.at(-1), { statusCode: 429, isWritten: false })
  t.same(
    answers.filter(({ statusCode, isWritten }) => statusCode === 429 && isWritten),
    [],
  )
})

t.test('a reset clears the account’s failed logins, lets its browser try, and lifts no suspension', async (t) => {
  const box = await mailFolder(t)
  const { url, db } = await testServer(t, { ...box.env, LIMIT_FAILED_LOGINS_IN_A_ROW: '2' })
  const ann = await signUpWithAddress(url, box)
  for (let n = 0; n < 2; n += 1) await logIn(url, ann.username, 'not at all the password')
  t.equal((await logIn(url, ann.username, password)).statusCode, 429, 'another closes the account to new browsers')
  await requestReset(url, ann.username)
  const token = tokenIn(await box.receive(ann.email, subjects.reset), 'reset')
  const browser = makeClient(url)
  const reset = await browser.post('v1/password-reset/confirm', { json: { token, newPassword } })
  t.equal(reset.statusCode, 204)
  t.equal((await logIn(url, ann.username, newPassword)).statusCode, 200, 'a new browser')
  for (let n = 0; n < 2; n += 1) await logIn(url, ann.username, 'not at all the password')
  const json = { username: ann.username, password: newPassword }
  t.equal((await browser.post('v1/session', { json })).statusCode, 200)

  await db.collection('credentials').updateMany({}, { $set: { suspendedAt: new Date() } })
  await requestReset(url, ann.username)
  const second = tokenIn(await box.receive(ann.email, subjects.reset, 2), 'reset')
  t.equal((await confirmReset(url, second, `${newPassword} again`)).statusCode, 204)
  t.equal((await logIn(url, ann.username, `${newPassword} again`)).statusCode, 401)
})
