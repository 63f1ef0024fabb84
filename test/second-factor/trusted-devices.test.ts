import { MongoClient } from 'mongodb'
import t from 'tap'
import { resetPassword } from '../../src/accounts/reset-password.ts'
import { clientOptions } from '../../src/database/connection.ts'
import { makeClient, password, testServer } from '../helper.ts'
import { accountsOn, codeOf, enrol, firstStep, forgetSteps, secondStep, wrongCodeOf } from './authenticator.ts'

const newPassword = 'seven grey owls knit at 5 again'
const required = { statusCode: 401, body: { code: 'second-factor-required' } }
const wrong = { statusCode: 401, body: { code: 'invalid-credentials' } }

t.test('devices that log in without a code', async (t) => {
  const server = await testServer(t)
  const { url, db } = server
  const { begin, enrolled } = accountsOn(t, server)

  t.test('a trusted device logs in without a code, until the trust ends', async (t) => {
    const { client: own, username, secret, recoveryCodes } = await enrolled()
    const login = await begin(username)
    t.equal((await secondStep(login, { code: codeOf(secret), trustDevice: true })).statusCode, 200)
    const skips = async () => (await firstStep(login, username)).statusCode === 200
    t.ok(await skips())
    t.match(await firstStep(login, username, 'not the password'), wrong, 'the password is needed all the same')
    t.match(await firstStep(makeClient(url), username), required, 'another browser needs a code')

    await db.collection('devices').updateMany({}, { $set: { trustedUntil: new Date(Date.now() - 1) } })
    t.notOk(await skips(), 'after 30 days')
    await secondStep(login, { recoveryCode: recoveryCodes[0] })
    t.notOk(await skips(), 'a login that does not ask for it does not renew it')
    await secondStep(login, { recoveryCode: recoveryCodes[1], trustDevice: true })
    t.ok(await skips())

    const enrolment = await enrol(own)
    t.notOk(await skips(), 'a new enrolment ends it')
    await secondStep(login, { recoveryCode: enrolment.recoveryCodes[0], trustDevice: true })
    t.ok(await skips())
    await own.delete('v1/second-factor/totp')
    const { items } = (await own.get<{ items: { trustedUntil: string | null }[] }>('v1/devices')).body
    t.same(
      items.map(({ trustedUntil }) => trustedUntil),
      items.map(() => null),
      'so does the removal',
    )
    const last = await enrol(own)
    t.notOk(await skips())
    await secondStep(login, { recoveryCode: last.recoveryCodes[0], trustDevice: true })
    t.ok(await skips())
    const json = { currentPassword: password, newPassword }
    t.equal((await own.put('v1/account/password', { json })).statusCode, 204)
    t.match(await firstStep(login, username, newPassword), required, 'and a change of password')
    t.match(await firstStep(own, username, newPassword), required, 'also for the browser that changes it')
  })

  t.test('logging out everywhere ends the trust of all devices', async (t) => {
    const { username, secret, recoveryCodes } = await enrolled()
    const [here, lost] = [await begin(username), await begin(username)]
    t.equal((await secondStep(here, { code: codeOf(secret), trustDevice: true })).statusCode, 200)
    t.equal((await secondStep(lost, { recoveryCode: recoveryCodes[0], trustDevice: true })).statusCode, 200)
    t.equal((await here.delete('v1/session')).statusCode, 204)
    t.equal((await firstStep(here, username)).statusCode, 200, 'a logout of one session leaves it')
    t.equal((await here.delete('v1/session?everywhere=true')).statusCode, 204)
    for (const browser of [here, lost]) t.match(await firstStep(browser, username), required)
  })

  t.test('ending all other sessions ends the trust of all other devices', async (t) => {
    const { client: own, username, secret, recoveryCodes } = await enrolled()
    const lost = await begin(username)
    t.equal((await secondStep(lost, { code: codeOf(secret), trustDevice: true })).statusCode, 200)
    t.match(await firstStep(own, username), required)
    t.equal((await secondStep(own, { recoveryCode: recoveryCodes[0], trustDevice: true })).statusCode, 200)
    t.equal(
      (await own.post('v1/session/confirm', { json: { password, recoveryCode: recoveryCodes[1] } })).statusCode,
      200,
    )
    t.equal((await own.delete('v1/sessions')).statusCode, 204)
    t.match(await firstStep(lost, username), required)
    t.equal((await firstStep(own, username)).statusCode, 200)
  })

  t.test('trust lasts for 30 days, and is for one account', async (t) => {
    const [ann, bob] = [await enrolled(), await enrolled()]
    const browser = await begin(ann.username)
    await secondStep(browser, { code: codeOf(ann.secret), trustDevice: true })
    const { items } = (await browser.get<{ items: { current: boolean; trustedUntil: string | null }[] }>('v1/devices'))
      .body
    const trustedUntil = items.find(({ current }) => current)?.trustedUntil ?? ''
    t.ok(Math.abs(Date.parse(trustedUntil) - Date.now() - 30 * 86_400_000) < 60_000)
    t.match(await firstStep(browser, bob.username), required)
  })

  t.test('a one-time password needs the second factor, too, and is not used up before', async (t) => {
    const { username, secret } = await enrolled()
    const trusted = await begin(username)
    await secondStep(trusted, { code: codeOf(secret), trustDevice: true })
    const mongo = new MongoClient(server.connection.uri, clientOptions(server.connection))
    t.teardown(() => mongo.close())
    const reset = await resetPassword(mongo, db.databaseName, username, { cost: 4, peppers: [] })
    const oneTime = reset.outcome === 'reset' ? reset.password : ''
    t.match(await firstStep(trusted, username, oneTime), required, 'the reset has ended all trust')
    await forgetSteps(db)
    const login = await begin(username, oneTime)
    t.match(await secondStep(login, { code: wrongCodeOf(secret) }), wrong)
    t.equal((await secondStep(login, { code: codeOf(secret) })).statusCode, 200)
    t.match(await login.get('v1/account'), { statusCode: 403, body: { code: 'password-change-required' } })
    t.match(await firstStep(makeClient(url), username, oneTime), wrong, 'it is used up now')
    const json = { currentPassword: oneTime, newPassword }
    t.equal((await login.put('v1/account/password', { json })).statusCode, 204)
    t.match(await firstStep(makeClient(url), username, newPassword), required)
  })
})
