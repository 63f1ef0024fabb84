import { UUID } from 'mongodb'
import t from 'tap'
import { challengeSeconds } from '../../src/sessions/challenges.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { serverOn } from '../sessions/servers.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { accountsOn, codeOf, confirm, firstStep, secondStep, wrongCodeOf } from './authenticator.ts'

type Session = { session: { id: string }; account: { id: string; username: string } }
type Activity = { items: { event: string; count?: number }[] }
type Client = ReturnType<typeof makeClient>

const newPassword = 'seven grey owls knit at 5 again'
const required = { statusCode: 401, body: { code: 'second-factor-required' } }
const wrong = { statusCode: 401, body: { code: 'invalid-credentials' } }
const again = { statusCode: 401, body: { code: 'unauthenticated' } }

async function events(client: Client) {
  return (await client.get<Activity>('v1/account/activity')).body.items
}

t.test('logging in with a second factor', async (t) => {
  const server = await testServer(t)
  const { url, db } = server
  const { begin, enrolled } = accountsOn(t, server)

  t.test('the right password is answered with a challenge, and the code logs in', async (t) => {
    const { client: own, username, secret } = await enrolled()
    const client = makeClient(url)
    const first = await firstStep(client, username)
    t.match(first, required)
    const cookies = setCookies(first.headers)
    t.same(Object.keys(cookies), ['second-factor'], 'no session begins')
    t.same(cookies['second-factor']?.attributes, [
      'HttpOnly',
      `Max-Age=${challengeSeconds}`,
      'Path=/',
      'SameSite=Strict',
    ])
    t.equal((await client.get('v1/session')).statusCode, 401)

    const second = await secondStep(client, { code: codeOf(secret) })
    t.equal(second.statusCode, 200)
    const set = setCookies(second.headers)
    t.same(Object.keys(set).sort(), ['device', 'refresh', 'second-factor', 'session'])
    t.equal(set['second-factor']?.value, '')
    t.match((await client.get<Session>('v1/session')).body, { account: { username } })
    t.equal((await events(own))[0]?.event, 'login')
    t.match((await own.get('v1/second-factor')).body, { totp: { lastUsedAt: /Z$/ } })
  })

  t.test('a wrong password, an unknown name and an account with an app get one answer', async (t) => {
    const { username } = await enrolled()
    const plain = await signUp(url)
    const answers = []
    for (const name of [username, plain.username, 'no_such_account']) {
      const { statusCode, headers, body } = await firstStep(makeClient(url), name, 'not the password')
      answers.push({ statusCode, cookies: headers['set-cookie'], body: { ...body, instance: '' } })
    }
    t.match(answers[0], wrong)
    t.same(answers[1], answers[0])
    t.same(answers[2], answers[0])
  })

  t.test('a code works once, in whichever login', async (t) => {
    const { client: own, username, secret } = await enrolled()
    const [one, other] = [await begin(username), await begin(username)]
    const code = codeOf(secret)
    t.equal((await secondStep(one, { code })).statusCode, 200)
    t.match(await secondStep(other, { code }), wrong)
    t.match(await secondStep(other, { code: codeOf(secret, -1) }), wrong, 'nor does an earlier one')
    t.match((await events(own))[0], { event: 'second-factor-failed', count: 2 }, 'which is an event')
    t.equal((await secondStep(other, { code: codeOf(secret, 1) })).statusCode, 200)
  })

  t.test('a recovery code works once, in the form in which it was typed', async (t) => {
    const { client, username, recoveryCodes } = await enrolled()
    const [first = '', second = ''] = recoveryCodes
    const [one, other] = [await begin(username), await begin(username)]
    t.equal((await secondStep(one, { recoveryCode: first })).statusCode, 200)
    t.match(await secondStep(other, { recoveryCode: first }), wrong)
    t.equal((await secondStep(other, { recoveryCode: second.toUpperCase().replaceAll('-', ' ') })).statusCode, 200)
    t.match((await client.get('v1/second-factor')).body, { recoveryCodesLeft: 8 })
    t.same(
      (await events(client)).slice(0, 4).map(({ event }) => event),
      ['login', 'recovery-code-used', 'second-factor-failed', 'login'],
    )
  })

  t.test('a wrong code is an event, and says nothing else', async (t) => {
    const { client, username, secret } = await enrolled()
    const login = await begin(username)
    for (const _ of [1, 2, 3]) t.match(await secondStep(login, { code: wrongCodeOf(secret) }), wrong)
    t.match(await secondStep(login, { recoveryCode: '0000-0000-0000-0000-0000-0000' }), wrong)
    t.match((await events(client))[0], { event: 'second-factor-failed', count: 4 })
  })

  t.test('a malformed body is 400, and uses up no try', async (t) => {
    const { username, secret } = await enrolled()
    const login = await begin(username)
    const bodies = [
      {},
      { code: 123_456 },
      { code: '12345' },
      { recoveryCode: 'short' },
      { code: '123456', recoveryCode: '0000-0000-0000-0000-0000-0000' },
      { trustDevice: true },
      { code: '123456', trustDevice: 'yes' },
      { code: '123456', more: 1 },
    ]
    for (const json of bodies) t.equal((await secondStep(login, json)).statusCode, 400, JSON.stringify(json))
    t.equal((await secondStep(login, { code: codeOf(secret) })).statusCode, 200)
  })

  t.test('the session that a browser carries goes on until the second step, and ends there', async (t) => {
    const { username, secret } = await enrolled()
    const { client, username: earlier } = await signUp(url)
    const headers = { cookie: await client.jar.getCookieString(url) }
    t.match(await firstStep(client, username), required)
    t.match((await client.get('v1/session')).body, { account: { username: earlier } })
    t.match(await secondStep(client, { code: wrongCodeOf(secret) }), wrong)
    t.match((await client.get('v1/session')).body, { account: { username: earlier } })
    t.equal((await secondStep(client, { code: codeOf(secret) })).statusCode, 200)
    t.match((await client.get('v1/session')).body, { account: { username } })
    t.equal((await makeClient(url).get('v1/session', { headers })).statusCode, 401, 'the carried session has ended')
  })

  t.test('what happens between the steps counts', async (t) => {
    t.test('a change of password', async (t) => {
      const { client, username, secret } = await enrolled()
      const login = await begin(username)
      const json = { currentPassword: password, newPassword }
      t.equal((await client.put('v1/account/password', { json })).statusCode, 204)
      t.match(await secondStep(login, { code: codeOf(secret) }), again)
      t.equal((await secondStep(await begin(username, newPassword), { code: codeOf(secret) })).statusCode, 200)
    })

    t.test('a suspension', async (t) => {
      const { client, username, secret } = await enrolled()
      const login = await begin(username)
      const { id } = (await client.get<{ id: string }>('v1/account')).body
      const credentials = db.collection<{ _id: UUID }>('credentials')
      await credentials.updateOne({ _id: new UUID(id) }, { $set: { suspendedAt: new Date() } })
      t.match(await secondStep(login, { code: codeOf(secret) }), again)
      t.match(await firstStep(makeClient(url), username), wrong)
    })

    t.test('the removal of the app', async (t) => {
      const { client, username, secret, recoveryCodes } = await enrolled()
      const login = await begin(username)
      await client.delete('v1/second-factor/totp')
      t.match(await secondStep(login, { code: codeOf(secret) }), again)
      t.match(await secondStep(login, { recoveryCode: recoveryCodes[0] }), again)
      t.equal((await firstStep(login, username)).statusCode, 200)
    })

    t.test('the deletion of the account', async (t) => {
      const { client, username, secret } = await enrolled()
      const login = await begin(username)
      t.equal((await client.delete('v1/account')).statusCode, 204)
      t.match(await secondStep(login, { code: codeOf(secret) }), again)
      t.equal(await db.collection('secondFactors').countDocuments({ pending: { $exists: true } }), 0)
    })
  })

  t.test('a password whose hash is outdated is hashed with the new cost at the first step', async (t) => {
    const { username } = await enrolled()
    const credentials = db.collection<{ password: { bcrypt: string } }>('credentials')
    const [stored] = await credentials.find().sort({ _id: -1 }).limit(1).toArray()
    t.match(stored?.password.bcrypt, /^\$2b\$04\$/)
    const dearer = await serverOn(t, server.connection, { BCRYPT_COST: '5' })
    t.match(await firstStep(makeClient(dearer), username), required)
    const [rehashed] = await credentials.find().sort({ _id: -1 }).limit(1).toArray()
    t.match(rehashed?.password.bcrypt, /^\$2b\$05\$/)
    t.match(await firstStep(makeClient(url), username), required)
  })

  t.test('confirm is needed to remove it: an open browser, or a thief’s session, cannot', async (t) => {
    const { username, secret } = await enrolled()
    const login = await begin(username)
    t.equal((await secondStep(login, { code: codeOf(secret) })).statusCode, 200)
    t.match(await login.delete('v1/second-factor/totp'), { statusCode: 403, body: { code: 'confirmation-required' } })
    t.match(await confirm(login), required, 'and the password alone does not confirm')
    t.match(await login.delete('v1/second-factor/totp'), { statusCode: 403 })
    t.match((await login.get('v1/second-factor')).body, { recoveryCodesLeft: 10 })
  })
})
