import { UUID } from 'mongodb'
import t from 'tap'
import { makeClient, password, signUp } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'
import { codeOf, enrol, firstStep, forgetSteps, secondStep } from './authenticator.ts'

const rounds = 5

t.test('two servers at the same moment', async (t) => {
  const { urls, url, db } = await twoServers(t)

  async function enrolled() {
    const { client, username } = await signUp(url)
    const { id } = (await client.get<{ id: string }>('v1/account')).body
    const factor = await enrol(client)
    await forgetSteps(db)
    return { client, username, account: new UUID(id), ...factor }
  }

  /** A browser on each server, after the first step. */
  const beginOnBoth = (username: string) =>
    Promise.all(
      urls.map(async (url) => {
        const client = makeClient(url)
        await firstStep(client, username)
        return client
      }),
    )
  const sessionsOf = (account: UUID) => db.collection('sessions').countDocuments({ account })
  const trustedOf = (account: UUID) =>
    db.collection('devices').countDocuments({ account, trustedUntil: { $exists: true } })

  t.test('of two logins with one code, one succeeds', async (t) => {
    for (let round = 0; round < rounds; round += 1) {
      const { username, account, secret } = await enrolled()
      const clients = await beginOnBoth(username)
      const code = codeOf(secret)
      const answers = await Promise.all(clients.map((client) => secondStep(client, { code })))
      t.same(answers.map(({ statusCode }) => statusCode).toSorted(), [200, 401])
      t.equal(await sessionsOf(account), 2, 'one more than the sign-up’s')
    }
  })

  t.test('of two logins with one recovery code, one succeeds', async (t) => {
    for (let round = 0; round < rounds; round += 1) {
      const { client, username, account, recoveryCodes } = await enrolled()
      const clients = await beginOnBoth(username)
      const [recoveryCode] = recoveryCodes
      const answers = await Promise.all(clients.map((each) => secondStep(each, { recoveryCode })))
      t.same(answers.map(({ statusCode }) => statusCode).toSorted(), [200, 401])
      t.equal(await sessionsOf(account), 2)
      t.match((await client.get('v1/second-factor')).body, { recoveryCodesLeft: 9 })
    }
  })

  t.test('of two logins with one challenge, one succeeds, and the other uses up no recovery code', async (t) => {
    for (let round = 0; round < rounds; round += 1) {
      const { client, username, account, recoveryCodes } = await enrolled()
      const [one] = await beginOnBoth(username)
      const headers = { cookie: (await one?.jar.getCookieString(url)) ?? '' }
      const answers = await Promise.all(
        urls.map((url, n) =>
          makeClient(url).post('v1/session/second-factor', { json: { recoveryCode: recoveryCodes[n] }, headers }),
        ),
      )
      t.same(answers.map(({ statusCode }) => statusCode).toSorted(), [200, 401])
      t.equal(await sessionsOf(account), 2)
      t.match((await client.get('v1/second-factor')).body, { recoveryCodesLeft: 9 })
    }
  })

  t.test('of a login and a confirmation with one code, one succeeds', async (t) => {
    for (let round = 0; round < rounds; round += 1) {
      const { client, username, secret } = await enrolled()
      const [, login] = await beginOnBoth(username)
      const code = codeOf(secret)
      const answers = await Promise.all([
        login && secondStep(login, { code }),
        client.post('v1/session/confirm', { json: { password, code } }),
      ])
      t.same(answers.map((answer) => answer?.statusCode).toSorted(), [200, 401])
    }
  })

  t.test('of a login beside the account’s deletion, nothing remains', async (t) => {
    for (let round = 0; round < rounds; round += 1) {
      const { client, username, account, secret } = await enrolled()
      const clients = await beginOnBoth(username)
      const [deleted] = await Promise.all([
        client.delete('v1/account'),
        ...clients.map((each, n) => secondStep(each, { code: codeOf(secret, n), trustDevice: true })),
      ])
      t.equal(deleted.statusCode, 204)
      for (const name of ['sessions', 'devices'])
        t.equal(await db.collection(name).countDocuments({ account }), 0, name)
      t.equal(await db.collection<{ _id: UUID }>('secondFactors').countDocuments({ _id: account }), 0)
    }
  })

  t.test('of a login beside the app’s removal, no trust remains', async (t) => {
    for (let round = 0; round < rounds; round += 1) {
      const { client, username, account, secret } = await enrolled()
      const clients = await beginOnBoth(username)
      const [removed, ...answers] = await Promise.all([
        client.delete('v1/second-factor/totp'),
        ...clients.map((each, n) => secondStep(each, { code: codeOf(secret, n), trustDevice: true })),
      ])
      t.equal(removed.statusCode, 204)
      for (const { statusCode } of answers) t.ok([200, 401].includes(statusCode))
      t.equal(await trustedOf(account), 0)
      t.equal(await db.collection<{ _id: UUID }>('secondFactors').countDocuments({ _id: account }), 0)
    }
  })

  t.test('of a login beside a change of password, no other session remains', async (t) => {
    for (let round = 0; round < rounds; round += 1) {
      const { client, username, account, secret } = await enrolled()
      const clients = await beginOnBoth(username)
      const json = { currentPassword: password, newPassword: 'seven grey owls knit at 5 again' }
      const [changed] = await Promise.all([
        client.put('v1/account/password', { json }),
        ...clients.map((each, n) => secondStep(each, { code: codeOf(secret, n), trustDevice: true })),
      ])
      t.equal(changed.statusCode, 204)
      t.equal(await sessionsOf(account), 1)
      t.equal(await trustedOf(account), 0)
    }
  })

  t.test('of an enrolment beside the account’s deletion, nothing remains', async (t) => {
    for (let round = 0; round < rounds; round += 1) {
      const { client, account } = await enrolled()
      const headers = { cookie: await client.jar.getCookieString(url) }
      const [deleted] = await Promise.all([
        client.delete('v1/account'),
        makeClient(urls[1]).post('v1/second-factor/totp', { headers }),
      ])
      t.equal(deleted.statusCode, 204)
      t.equal(await db.collection<{ _id: UUID }>('secondFactors').countDocuments({ _id: account }), 0)
    }
  })
})
