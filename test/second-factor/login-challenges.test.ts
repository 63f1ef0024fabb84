import { randomBytes } from 'node:crypto'
import type { CommandStartedEvent } from 'mongodb'
import t from 'tap'
import { throttleKey } from '../../src/limits/throttle-key.ts'
import { ringOfOne } from '../../src/secrets/key-ring.ts'
import { challengeKeys, challengeStore } from '../../src/sessions/challenges.ts'
import { makeClient, testServer } from '../helper.ts'
import { serverOn } from '../sessions/servers.ts'
import { accountsOn, codeOf, secondStep, wrongCodeOf } from './authenticator.ts'

type Activity = { items: { event: string; count?: number }[] }
type Client = ReturnType<typeof makeClient>
type Observed = { on(event: 'commandStarted', listener: (event: CommandStartedEvent) => void): unknown }

const wrong = { statusCode: 401, body: { code: 'invalid-credentials' } }
const again = { statusCode: 401, body: { code: 'unauthenticated' } }

async function events(client: Client) {
  return (await client.get<Activity>('v1/account/activity')).body.items
}

t.test('the challenge between the steps of a login', async (t) => {
  const signKey = randomBytes(32).toString('hex')
  const server = await testServer(t, { JWT_SIGN_KEY: signKey })
  const { url, db } = server
  const { begin, enrolled } = accountsOn(t, server)

  t.test('without a challenge that is valid, no code is looked at', async (t) => {
    const { client, username, secret } = await enrolled()
    const code = codeOf(secret)
    t.match(await secondStep(makeClient(url), { code }), again, 'none')
    const other = makeClient(url)
    await other.jar.setCookie(`second-factor=${randomBytes(80).toString('base64url')}`, url)
    t.match(await secondStep(other, { code }), again, 'an invented one')
    const { id } = (await client.get<{ id: string }>('v1/account')).body
    const keys = challengeKeys(ringOfOne(signKey), await throttleKey(db, undefined))
    const minutesAgo = (minutes: number) =>
      challengeStore(
        db,
        () => keys,
        () => Date.now() - minutes * 60_000,
      )
    const attempt = (token: string) => {
      const headers = { cookie: `second-factor=${token}` }
      return makeClient(url).post('v1/session/second-factor', { json: { code }, headers })
    }
    t.match(await attempt(minutesAgo(5).issue('second-factor', `${id}:1`).token), again, 'an expired one')
    t.match(await attempt(minutesAgo(0).issue('passkey-confirm', `${id}:1`).token), again, 'one of another purpose')
    t.match(await attempt(minutesAgo(0).issue('second-factor', `${id}:0`).token), again, 'of an earlier password')
    const login = await begin(username)
    t.equal((await secondStep(login, { code })).statusCode, 200)
  })

  t.test('a challenge serves for one login', async (t) => {
    const { username, secret, recoveryCodes } = await enrolled()
    const login = await begin(username)
    const headers = { cookie: await login.jar.getCookieString(url) }
    t.equal((await secondStep(login, { code: codeOf(secret) })).statusCode, 200)
    const json = { recoveryCode: recoveryCodes[0] }
    t.match(await makeClient(url).post('v1/session/second-factor', { json, headers }), again)
    t.equal((await secondStep(await begin(username), json)).statusCode, 200, 'the recovery code was not used up')
  })

  t.test('a stolen challenge gains nothing without a code, and ends after five tries', async (t) => {
    const { username, secret, recoveryCodes } = await enrolled()
    const login = await begin(username)
    const stolen = { cookie: await login.jar.getCookieString(url) }
    const attempt = (json: object) => makeClient(url).post('v1/session/second-factor', { json, headers: stolen })
    for (const path of ['v1/session', 'v1/account', 'v1/sessions', 'v1/second-factor', 'v1/devices']) {
      t.equal((await makeClient(url).get(path, { headers: stolen })).statusCode, 401, path)
    }
    for (const _ of [1, 2, 3]) t.match(await attempt({ code: wrongCodeOf(secret) }), wrong)
    for (const _ of [4, 5]) t.match(await attempt({ recoveryCode: '0000-0000-0000-0000-0000-0000' }), wrong)
    t.match(await attempt({ code: codeOf(secret) }), again)
    t.match(await secondStep(login, { recoveryCode: recoveryCodes[0] }), again)
    t.equal((await secondStep(await begin(username), { code: codeOf(secret) })).statusCode, 200, 'another one serves')
  })

  t.test('of 20 wrong codes at once, five are checked', async (t) => {
    const { client, username, secret } = await enrolled()
    const login = await begin(username)
    const code = wrongCodeOf(secret)
    const answers = await Promise.all(Array.from({ length: 20 }, () => secondStep(login, { code })))
    t.equal(answers.filter(({ body }) => body.code === 'invalid-credentials').length, 5)
    t.equal(answers.filter(({ body }) => body.code === 'unauthenticated').length, 15)
    t.match((await events(client))[0], { event: 'second-factor-failed', count: 5 })
  })

  t.test('a challenge that was planted logs in nothing of the attacker’s but by the attacker’s code', async (t) => {
    const [attacker, victim] = [await enrolled(), await enrolled()]
    const theirs = await begin(attacker.username)
    const browser = await begin(victim.username)
    const [planted] = (await theirs.jar.getCookies(url)).filter(({ key }) => key === 'second-factor')
    await browser.jar.setCookie(`second-factor=${planted?.value}`, url)
    t.match(await secondStep(browser, { code: codeOf(victim.secret) }), wrong)
    t.match(await secondStep(browser, { recoveryCode: victim.recoveryCodes[0] }), wrong)
    t.equal((await browser.get('v1/session')).statusCode, 401)
    const fresh = await begin(victim.username)
    t.equal((await secondStep(fresh, { recoveryCode: victim.recoveryCodes[0] })).statusCode, 200, 'nothing is lost')
    t.match((await fresh.get('v1/session')).body, { account: { username: victim.username } })
  })

  t.test('a challenge that serves no more is looked up once, however often it is presented', async (t) => {
    const commands: string[] = []
    const observeClient = (client: Observed) =>
      void client.on('commandStarted', ({ command }) => commands.push(JSON.stringify(command)))
    const observed = await serverOn(t, { ...server.connection, observeClient }, { JWT_SIGN_KEY: signKey })
    /** Of a second step. */
    const count = () => commands.filter((command) => /"(attempts|credentials)"/.test(command)).length

    const { client, username, secret, recoveryCodes } = await enrolled()
    const cookieOf = async (login: Client) => login.jar.getCookieString(url)
    const present = (cookie: string) =>
      makeClient(observed).post('v1/session/second-factor', { json: { code: codeOf(secret) }, headers: { cookie } })
    const used = await begin(username)
    const [tried, late] = [await begin(username), await begin(username)]
    const cookies = { used: await cookieOf(used), tried: await cookieOf(tried), late: await cookieOf(late) }
    t.equal((await secondStep(used, { recoveryCode: recoveryCodes[0] })).statusCode, 200)
    for (const _ of [1, 2, 3, 4, 5]) t.match(await secondStep(tried, { code: wrongCodeOf(secret) }), wrong)
    for (const name of ['used', 'tried', 'late'] as const) {
      if (name === 'late') t.equal((await client.delete('v1/second-factor/totp')).statusCode, 204)
      t.match(await present(cookies[name]), again, name)
      const once = count()
      for (const _ of [1, 2, 3]) t.match(await present(cookies[name]), again, name)
      t.equal(count(), once, name)
    }
    t.ok(count() > 0)
  })
})
