import { randomBytes } from 'node:crypto'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { resetPassword } from '../../src/accounts/reset-password.ts'
import { clientOptions } from '../../src/database/connection.ts'
import { eventually } from '../eventually.ts'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf, expectProblem, field } from '../http/wire.ts'
import { twoServers } from '../sessions/servers.ts'
import {
  ageAttempts,
  attemptLogin,
  attemptLogins,
  countStatuses,
  deviceCookieIn,
  forgetRefusals,
} from './login-attempts.ts'

const row = /^"failed-logins-in-a-row";q=/
const otherLimits = Object.fromEntries(
  ['PER_ACCOUNT_AND_ADDRESS', 'PER_ACCOUNT_AND_NETWORK', 'PER_ADDRESS', 'PER_NETWORK', 'PER_ACCOUNT'].map((by) => [
    `LIMIT_FAILED_LOGINS_${by}`,
    '1000',
  ]),
)
const env = { ...otherLimits, LIMIT_FAILED_LOGINS_IN_A_ROW: '12' }

t.test('failed logins in a row', async (t) => {
  const THROTTLE_KEY = randomBytes(32).toString('hex')
  const { urls, db, connection } = await twoServers(t, { ...env, THROTTLE_KEY })
  const ports = urls.map((url) => Number(new URL(url).port))
  const [port = 0, other = 0] = ports
  const client = new MongoClient(connection.uri, clientOptions(connection))
  t.teardown(() => client.close())
  const reset = async (username: string) => {
    const result = await resetPassword(client, db.databaseName, username, { cost: 4, peppers: [] }, THROTTLE_KEY)
    return result.outcome === 'reset' ? result.password : ''
  }
  /** Fails concurrently on both servers, and again a year later. */
  async function lock(username: string) {
    const first = await Promise.all(ports.map((at) => attemptLogins(at, username, 3)))
    await ageAttempts(db, 366 * 86_400)
    const second = await Promise.all(ports.map((at) => attemptLogins(at, username, 10)))
    return countStatuses([...first, ...second].flat())
  }

  t.test('the quota holds over two servers and in whatever time, also for a name without an account', async (t) => {
    await cookieOf(port, 'ann')
    for (const name of ['ann', 'no_account']) {
      t.same(await lock(name), { 401: 12, 429: 14 }, name)
      const limited = await attemptLogin(other, name, { password })
      expectProblem(t, limited, 'rate-limited')
      t.match(limited.headers['ratelimit-policy'], row)
      t.match(String(field(limited.body, 'detail')), /known browsers only.*one-time password\.$/)
    }
    t.equal((await attemptLogin(port, 'bob')).status, 401, 'other accounts are not limited')
  })

  t.test('live sessions and known devices go on, and the success of one opens the account', async (t) => {
    const cookie = await cookieOf(port, 'carol')
    await lock('carol')
    t.equal((await ask(port, 'GET', '/v1/session', { headers: { cookie } })).status, 200)
    const json = { password }
    t.equal((await ask(port, 'POST', '/v1/session/confirm', { json, headers: { cookie } })).status, 200)
    t.equal((await attemptLogin(other, 'carol', { password })).status, 429)
    const device = deviceCookieIn(cookie)
    t.equal((await attemptLogin(other, 'carol', { cookie: device })).status, 401, 'a known device may fail')
    t.equal((await attemptLogin(port, 'carol', { password })).status, 429)
    t.equal((await attemptLogin(port, 'carol', { cookie: device, password })).status, 200)
    // The other server looks up once a second what has refused many.
    await eventually(async () => (await attemptLogin(other, 'carol', { password })).status === 200)
  })

  t.test('a success between failures begins the count again', async (t) => {
    await cookieOf(port, 'dora')
    for (let round = 0; round < 3; round += 1) {
      t.same(countStatuses(await attemptLogins(port, 'dora', 11)), { 401: 11 })
      t.equal((await attemptLogin(other, 'dora', { password })).status, 200)
    }
  })

  t.test('a known device has its own count', async (t) => {
    const device = deviceCookieIn(await cookieOf(port, 'erin'))
    t.same(countStatuses(await attemptLogins(port, 'erin', 9, { cookie: device })), { 401: 9 })
    await ageAttempts(db, 900)
    t.same(countStatuses(await attemptLogins(port, 'erin', 9, { cookie: device })), { 401: 3, 429: 6 })
    const limited = await attemptLogin(port, 'erin', { cookie: device, password })
    t.match(limited.headers['ratelimit-policy'], /^"failed-logins-in-a-row-by-device";q=12;/)
    t.equal((await attemptLogin(port, 'erin', { password })).status, 200, 'without its cookie the account is open')
  })

  t.test('the operator’s reset forgets the failures; its password works whatever else fails', async (t) => {
    const device = deviceCookieIn(await cookieOf(port, 'fay'))
    await lock('fay')
    await attemptLogins(port, 'fay', 10, { cookie: device })
    const oneTime = await reset('fay')
    t.equal((await attemptLogin(port, 'fay', { cookie: device })).status, 401, 'the device’s count is forgotten too')
    await forgetRefusals()
    t.same(countStatuses(await attemptLogins(port, 'fay', 50)), { 401: 12, 429: 38 }, 'wrong ones are counted')
    t.equal((await attemptLogin(port, 'fay', { password: oneTime })).status, 200)
    t.same(countStatuses(await attemptLogins(port, 'fay', 20)), { 401: 12, 429: 8 }, 'once it is used, in a row again')
  })
})

t.test('a one-time password passes an account’s exhausted limits, in the network that exhausted them', async (t) => {
  const { port, db, connection } = await testServer(t, { TRUSTED_PROXIES: '127.0.0.1' })
  await cookieOf(port, 'Ann')
  const client = new MongoClient(connection.uri, clientOptions(connection))
  t.teardown(() => client.close())
  const attack = async () => {
    for (let n = 0; n < 6; n += 1) {
      for (const host of [1, 2]) await attemptLogins(port, 'ann', 10, { from: `2001:db8:${n}:${host}::1` })
    }
  }
  await attack()
  t.equal((await attemptLogin(port, 'ann', { from: '192.0.2.1', password })).status, 429)
  const reset = await resetPassword(client, db.databaseName, 'ann', { cost: 4, peppers: [] })
  const left = await db.collection('attempts').distinct('_id')
  t.same(
    left.filter((id) => !/^failed-logins-by-(address|network):/.test(String(id))),
    [],
    'the reset clears every counter of the account',
  )
  await forgetRefusals()
  await attack()
  const given = reset.outcome === 'reset' ? reset.password : ''
  t.equal((await attemptLogin(port, 'ann', { from: '2001:db8:0:1::2' })).status, 429, 'wrong ones are counted')
  t.equal((await attemptLogin(port, 'ann', { from: '2001:db8:0:1::2', password: given })).status, 200, 'the right one')
})
