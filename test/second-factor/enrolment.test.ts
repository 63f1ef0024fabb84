import { setTimeout as delay } from 'node:timers/promises'
import { UUID } from 'mongodb'
import t from 'tap'
import { dataCollections } from '../data-collections.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { beginEnrolment, codeOf, confirm, enrol, firstStep, secondStep, wrongCodeOf } from './authenticator.ts'
import { readQrCode } from './qr-code.ts'

type View = { totp: { enrolledAt: string; lastUsedAt: string | null } | null; recoveryCodesLeft: number }
type Activity = { items: { event: string; count?: number }[] }
type Client = ReturnType<typeof makeClient>

const view = async (client: Client) => (await client.get<View>('v1/second-factor')).body
const events = async (client: Client) =>
  (await client.get<Activity>('v1/account/activity')).body.items.map(({ event }) => event)
const sendCode = (client: Client, code: string) =>
  client.post<{ code?: string; recoveryCodes: string[] }>('v1/second-factor/totp/confirm', { json: { code } })
const none = { totp: null, recoveryCodesLeft: 0 }

t.test('enrolling an app', async (t) => {
  const { url, db } = await testServer(t)

  t.test('a code confirms it, and ten recovery codes are shown once', async (t) => {
    const { client, username } = await signUp(url)
    t.same(await view(client), none)
    await confirm(client)
    const { secret, uri, qrCode } = await beginEnrolment(client)
    t.match(secret, /^[A-Z2-7]{32}$/)
    t.equal(new URL(uri).searchParams.get('secret'), secret)
    t.match(qrCode, /^<svg [^<>]*><path d="[^"<>]*"\/><\/svg>$/, 'an image and nothing else')
    t.equal(readQrCode(qrCode), uri)
    t.same(await view(client), none, 'not before the code')
    t.equal((await firstStep(makeClient(url), username)).statusCode, 200)

    const { statusCode, body } = await sendCode(client, codeOf(secret))
    t.equal(statusCode, 200)
    t.equal(new Set(body.recoveryCodes).size, 10)
    const { totp, recoveryCodesLeft } = await view(client)
    t.equal(recoveryCodesLeft, 10)
    t.equal(totp?.lastUsedAt, null)
    t.ok(Math.abs(Date.parse(totp?.enrolledAt ?? '') - Date.now()) < 60_000)
    t.equal((await events(client))[0], 'totp-enrolled')
    t.equal((await sendCode(client, codeOf(secret, 1))).statusCode, 404, 'it is pending no more')

    const everything = await Promise.all((await dataCollections(db)).map((each) => each.find().toArray()))
    const stored = JSON.stringify(everything)
    t.notOk(stored.includes(secret))
    for (const code of body.recoveryCodes) t.notOk(stored.includes(code))
  })

  t.test('nothing of it works without a confirmation', async (t) => {
    const { client } = await signUp(url)
    for (const [method, path, json] of [
      ['post', 'v1/second-factor/totp'],
      ['post', 'v1/second-factor/totp/confirm', { code: '123456' }],
      ['delete', 'v1/second-factor/totp'],
      ['post', 'v1/second-factor/recovery-codes'],
    ] as const) {
      const { statusCode, body } = await client<{ code: string }>(path, { method, ...(json && { json }) })
      t.match({ statusCode, body }, { statusCode: 403, body: { code: 'confirmation-required' } }, `${method} ${path}`)
    }
    t.equal((await makeClient(url).get('v1/second-factor')).statusCode, 401)
  })

  t.test('a wrong code is 401, is counted, and leaves the enrolment as it is', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    const { secret } = await beginEnrolment(client)
    for (const _ of [1, 2]) {
      const { statusCode, body } = await sendCode(client, wrongCodeOf(secret))
      t.match({ statusCode, body }, { statusCode: 401, body: { code: 'invalid-credentials' } })
    }
    const { items } = (await client.get<Activity>('v1/account/activity')).body
    t.match(items[0], { event: 'second-factor-failed', count: 2 })
    for (const code of ['', '12345', '1234567', 'abcdef', '１２３４５６'])
      t.equal((await sendCode(client, code)).statusCode, 400, code)
    t.equal(
      (await sendCode(client, codeOf(secret).replace(/^.../, '$& '))).statusCode,
      200,
      'with a space, as apps show it',
    )
  })

  t.test('the next enrolment replaces the one that is pending, which ends after ten minutes', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    t.equal((await sendCode(client, '123456')).statusCode, 404, 'none is pending')
    const first = await beginEnrolment(client)
    const second = await beginEnrolment(client)
    t.not(second.secret, first.secret)
    t.equal((await sendCode(client, codeOf(first.secret))).statusCode, 401)
    const until = new Date(Date.now() - 1)
    await db
      .collection('secondFactors')
      .updateMany({ pending: { $exists: true } }, { $set: { 'pending.until': until } })
    t.equal((await sendCode(client, codeOf(second.secret))).statusCode, 404)
    t.same(await view(client), none)
  })

  t.test('an active app stays until a code confirms another', async (t) => {
    const { client, username } = await signUp(url)
    const { secret, recoveryCodes } = await enrol(client)
    const next = await beginEnrolment(client)
    const login = makeClient(url)
    await firstStep(login, username)
    t.equal((await secondStep(login, { code: codeOf(secret, 1) })).statusCode, 200)
    const { body } = await sendCode(client, codeOf(next.secret))
    t.equal(body.recoveryCodes.length, 10)
    const again = makeClient(url)
    await firstStep(again, username)
    t.equal((await secondStep(again, { recoveryCode: recoveryCodes[0] })).statusCode, 401, 'the earlier ones are void')
    t.equal((await secondStep(again, { code: codeOf(next.secret, 1) })).statusCode, 200)
  })

  t.test('it ends the confirmations of other sessions, which needed no code', async (t) => {
    const { client, username } = await signUp(url)
    const other = makeClient(url)
    await other.post('v1/session', { json: { username, password } })
    t.equal((await confirm(other)).statusCode, 200)
    const { secret } = await enrol(client)
    for (const [method, path] of [
      ['delete', 'v1/second-factor/totp'],
      ['post', 'v1/second-factor/recovery-codes'],
      ['get', 'v1/account/export'],
    ] as const) {
      const refused = await other(path, { method })
      t.match(refused, { statusCode: 403, body: { code: 'confirmation-required' } }, path)
    }
    t.match((await other.get('v1/session')).body, { session: { confirmedUntil: null } })
    t.equal((await client.post('v1/second-factor/recovery-codes')).statusCode, 200, 'not its own')
    t.equal((await confirm(other, { code: codeOf(secret, 1) })).statusCode, 200)
    t.equal((await other.delete('v1/second-factor/totp')).statusCode, 204)
  })

  t.test('removing it takes the recovery codes, and the password alone logs in again', async (t) => {
    const { client, username } = await signUp(url)
    await enrol(client)
    t.equal((await client.delete('v1/second-factor/totp')).statusCode, 204)
    t.same(await view(client), none)
    t.equal((await events(client))[0], 'totp-removed')
    t.equal((await firstStep(makeClient(url), username)).statusCode, 200)
    t.equal((await client.delete('v1/second-factor/totp')).statusCode, 204, 'again')
    t.equal((await events(client)).filter((event) => event === 'totp-removed').length, 1)
  })

  t.test('an account that has been deleted since the request began gets none', async (t) => {
    const { client } = await signUp(url)
    const { id } = (await client.get<{ id: string }>('v1/account')).body
    await confirm(client)
    await db.collection<{ _id: UUID }>('credentials').deleteOne({ _id: new UUID(id) })
    t.equal((await client.post('v1/second-factor/totp')).statusCode, 401)
    t.equal(await db.collection<{ _id: UUID }>('secondFactors').countDocuments({ _id: new UUID(id) }), 0)
  })

  t.test('a session that ends while its request waits changes nothing', async (t) => {
    const { client } = await signUp(url)
    const account = new UUID((await client.get<{ id: string }>('v1/account')).body.id)
    await confirm(client)
    const { secret } = await beginEnrolment(client)
    const transaction = db.client.startSession()
    t.teardown(() => transaction.endSession())
    transaction.startTransaction()
    const credentials = db.collection<{ _id: UUID }>('credentials')
    // As a login does: what the request writes conflicts with it, and waits.
    await credentials.updateOne({ _id: account }, { $inc: { revision: 1 } }, { session: transaction })
    const answer = sendCode(client, codeOf(secret))
    await delay(500)
    await db.collection('sessions').deleteMany({ account })
    await transaction.abortTransaction()
    t.equal((await answer).statusCode, 401)
    const own = { _id: account, totp: { $exists: true } }
    t.equal(await db.collection<{ _id: UUID }>('secondFactors').countDocuments(own), 0)
  })

  t.test('new recovery codes make the earlier ones void', async (t) => {
    const { client, username } = await signUp(url)
    await confirm(client)
    t.equal((await client.post('v1/second-factor/recovery-codes')).statusCode, 404, 'not without an app')
    const { recoveryCodes } = await enrol(client)
    const { statusCode, body } = await client.post<{ recoveryCodes: string[] }>('v1/second-factor/recovery-codes')
    t.equal(statusCode, 200)
    t.equal(new Set([...body.recoveryCodes, ...recoveryCodes]).size, 20)
    t.equal((await events(client))[0], 'recovery-codes-replaced')
    const login = makeClient(url)
    await firstStep(login, username)
    t.equal((await secondStep(login, { recoveryCode: recoveryCodes[3] })).statusCode, 401)
    t.equal((await secondStep(login, { recoveryCode: body.recoveryCodes[3] })).statusCode, 200)
    t.equal((await view(client)).recoveryCodesLeft, 9)
  })
})

t.test(
  'a server without TOTP_KEYS refuses the enrolment, says which variable is missing, and does all else',
  async (t) => {
    const { url } = await testServer(t, { TOTP_KEYS: '' })
    const { client, username } = await signUp(url)
    await confirm(client)
    const { statusCode, body } = await client.post('v1/second-factor/totp')
    t.match({ statusCode, body }, { statusCode: 403, body: { code: 'forbidden', detail: /TOTP_KEYS/ } })
    t.same(await view(client), none)
    t.equal((await firstStep(makeClient(url), username)).statusCode, 200)
    t.equal((await client.delete('v1/second-factor/totp')).statusCode, 204)
  },
)
