import t from 'tap'
import { makeClient, signUp, testServer } from '../helper.ts'
import { ageAttempts, ageDevices, countAttempts, forgetRefusals } from '../limits/login-attempts.ts'
import { codeOf, enrol, firstStep, forgetSteps, secondStep, wrongCodeOf } from './authenticator.ts'

const wrong = { statusCode: 401, body: { code: 'invalid-credentials' } }

t.test('the limits on wrong codes', async (t) => {
  const { url, db } = await testServer(t, { LIMIT_FAILED_CODES_PER_ACCOUNT: '6', LIMIT_FAILED_CODES_IN_A_ROW: '9' })

  async function enrolled() {
    const { client, username } = await signUp(url)
    const factor = await enrol(client)
    await forgetSteps(db)
    return { client, username, ...factor }
  }

  async function begin(username: string) {
    const client = makeClient(url)
    t.match(await firstStep(client, username), { statusCode: 401, body: { code: 'second-factor-required' } })
    return client
  }

  /** With as many challenges as that takes. */
  async function fail({ username, secret }: { username: string; secret: string }, times: number): Promise<void> {
    for (let n = 0; n < times; n += 1) {
      t.match(await secondStep(await begin(username), { code: wrongCodeOf(secret) }), wrong)
    }
  }

  t.test('an account has so many in 15 minutes, and recovery codes are none of them', async (t) => {
    const ann = await enrolled()
    for (const _ of [1, 2, 3, 4]) {
      t.match(await secondStep(await begin(ann.username), { recoveryCode: '0000-0000-0000-0000-0000-0000' }), wrong)
    }
    t.equal(await countAttempts(db, 'failed-codes-by-account'), 0)
    await fail(ann, 6)
    const login = await begin(ann.username)
    const limited = await secondStep(login, { code: codeOf(ann.secret) })
    t.match(limited, {
      statusCode: 429,
      body: { code: 'rate-limited' },
      headers: { 'ratelimit-policy': '"failed-codes-by-account";q=6;w=900' },
    })
    t.equal(limited.headers['set-cookie'], undefined)
    t.equal((await secondStep(login, { recoveryCode: ann.recoveryCodes[0] })).statusCode, 200)
    const other = await enrolled()
    t.equal((await secondStep(await begin(other.username), { code: codeOf(other.secret) })).statusCode, 200)

    await ageAttempts(db, 900)
    await forgetRefusals()
    t.equal((await secondStep(await begin(ann.username), { code: codeOf(ann.secret) })).statusCode, 200)
    t.equal(await countAttempts(db, 'failed-codes-by-account'), 0, 'a right code counts as no failure')
  })

  t.test('after so many in a row no code is taken, until a recovery code logs in', async (t) => {
    await db.collection('attempts').deleteMany({})
    const ann = await enrolled()
    await fail(ann, 5)
    t.equal((await secondStep(await begin(ann.username), { code: codeOf(ann.secret) })).statusCode, 200)
    t.equal(await countAttempts(db, 'failed-codes-in-a-row'), 0, 'a login ends the row')
    await fail(ann, 1)
    await ageAttempts(db, 900)
    await fail(ann, 6)
    await ageAttempts(db, 900)
    await fail(ann, 2)
    await forgetSteps(db)
    const limited = await secondStep(await begin(ann.username), { code: codeOf(ann.secret) })
    t.match(limited, { statusCode: 429, body: { detail: /^After 9 wrong codes in a row .* recovery code/ } })
    await ageAttempts(db, 86_400)
    await forgetRefusals()
    t.equal((await secondStep(await begin(ann.username), { code: codeOf(ann.secret) })).statusCode, 429, 'a day later')
    t.equal((await secondStep(await begin(ann.username), { recoveryCode: ann.recoveryCodes[0] })).statusCode, 200)
    await forgetRefusals()
    t.equal((await secondStep(await begin(ann.username), { code: codeOf(ann.secret) })).statusCode, 200)
  })

  t.test('failed logins stay counted until the second step, and a right password is none of them', async (t) => {
    await db.collection('attempts').deleteMany({})
    const { username, secret } = await enrolled()
    const counted = () => countAttempts(db, 'failed-logins-by-account-and-address')
    for (const _ of [1, 2]) t.match(await firstStep(makeClient(url), username, 'not the password'), wrong)
    const login = await begin(username)
    t.equal(await counted(), 2)
    t.match(await secondStep(login, { code: wrongCodeOf(secret) }), wrong)
    t.equal(await counted(), 2)
    t.equal((await secondStep(login, { code: codeOf(secret) })).statusCode, 200)
    t.equal(await counted(), 0)
  })

  t.test('the first steps of an account are limited as its logins are', async (t) => {
    const { db, url } = await testServer(t, { LIMIT_LOGINS_PER_ACCOUNT: '3' })
    const { client, username } = await signUp(url)
    const known = makeClient(url)
    t.equal((await firstStep(known, username)).statusCode, 200)
    await enrol(client)
    for (const _ of [1, 2]) t.equal((await firstStep(makeClient(url), username)).statusCode, 401)
    t.match(await firstStep(makeClient(url), username), { statusCode: 429 })
    await ageDevices(db)
    for (const _ of [1, 2, 3]) t.equal((await firstStep(known, username)).statusCode, 401)
    t.match(await firstStep(known, username), { statusCode: 429 })
    const owner = await firstStep(client, username)
    t.match(owner, { statusCode: 401, body: { code: 'second-factor-required' } }, 'another known browser goes on')
  })
})
