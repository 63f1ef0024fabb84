import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { codeOf, confirm, enrol, firstStep, forgetSteps, secondStep, wrongCodeOf } from './authenticator.ts'

const required = { statusCode: 401, body: { code: 'second-factor-required' } }
const wrong = { statusCode: 401, body: { code: 'invalid-credentials' } }
type Activity = { items: { event: string; count?: number }[] }

t.test('confirming a session with a second factor', async (t) => {
  const { url, db } = await testServer(t)
  const enrolled = async () => {
    const { client, username } = await signUp(url)
    const factor = await enrol(client)
    await forgetSteps(db)
    return { client, username, ...factor }
  }
  const failures = async () => {
    const [session] = await db.collection<{ failures: number }>('sessions').find().sort({ _id: -1 }).limit(1).toArray()
    return session?.failures
  }

  t.test('needs a code beside the password, whose lack is no failure', async (t) => {
    const { client, secret, recoveryCodes } = await enrolled()
    t.match(await confirm(client), required)
    t.equal(await failures(), 0)
    t.match(await confirm(client, { password: 'not the password' }), wrong, 'and is told after a right password only')
    t.match(await confirm(client, { password: 'not the password', code: codeOf(secret) }), wrong)
    t.equal((await confirm(client, { code: codeOf(secret) })).statusCode, 200)
    t.match(await confirm(client, { code: codeOf(secret) }), wrong, 'a code works once')
    t.equal((await confirm(client, { recoveryCode: recoveryCodes[0] })).statusCode, 200)
    t.match(await confirm(client, { recoveryCode: recoveryCodes[0] }), wrong, 'so does a recovery code')
    t.equal((await confirm(client, { code: '123456', recoveryCode: recoveryCodes[1] })).statusCode, 400)
    t.match((await client.get('v1/second-factor')).body, { recoveryCodesLeft: 9 })
  })

  t.test('the tenth wrong code ends the session, as the tenth wrong password does', async (t) => {
    const { client, secret } = await enrolled()
    const other = await enrolled()
    for (let n = 0; n < 9; n += 1) t.match(await confirm(client, { code: wrongCodeOf(secret) }), wrong)
    t.match((await client.get<Activity>('v1/account/activity')).body.items[0], {
      event: 'second-factor-failed',
      count: 9,
    })
    t.match(await confirm(client, { code: wrongCodeOf(secret) }), wrong)
    t.equal((await client.get('v1/session')).statusCode, 401)
    t.equal((await other.client.get('v1/session')).statusCode, 200)
  })

  t.test('wrong codes count for the account, and one that is not checked counts for nothing', async (t) => {
    const server = await testServer(t, { LIMIT_FAILED_CODES_PER_ACCOUNT: '2' })
    const { client } = await signUp(server.url)
    const { secret, recoveryCodes } = await enrol(client)
    for (const _ of [1, 2]) t.match(await confirm(client, { code: wrongCodeOf(secret) }), wrong)
    for (let n = 0; n < 10; n += 1) t.match(await confirm(client, { code: codeOf(secret, 1) }), { statusCode: 429 })
    t.equal((await client.get('v1/session')).statusCode, 200)
    t.equal((await confirm(client, { recoveryCode: recoveryCodes[0] })).statusCode, 200)
  })

  t.test('a change of password needs it, and without an app it does not', async (t) => {
    const { username, secret, recoveryCodes } = await enrolled()
    const client = makeClient(url)
    await firstStep(client, username)
    t.equal((await secondStep(client, { code: codeOf(secret) })).statusCode, 200)
    const change = (currentPassword: string) =>
      client.put('v1/account/password', { json: { currentPassword, newPassword: `${password}, again` } })
    const required = { statusCode: 403, body: { code: 'confirmation-required' } }
    t.match(await change(password), required)
    t.match(await change('not the password'), required, 'and nothing shows which is right')
    t.equal((await confirm(client, { recoveryCode: recoveryCodes[0] })).statusCode, 200)
    t.equal((await change(password)).statusCode, 204)

    const other = await signUp(url)
    const json = { currentPassword: password, newPassword: `${password}, again` }
    t.equal((await other.client.put('v1/account/password', { json })).statusCode, 204)
  })

  t.test('without an app, a code is ignored', async (t) => {
    const { client } = await signUp(url)
    t.equal((await confirm(client, { code: '123456' })).statusCode, 200)
  })
})
