import { createHash, randomBytes } from 'node:crypto'
import type { Binary } from 'mongodb'
import t from 'tap'
import { dataCollections } from '../data-collections.ts'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf } from '../http/wire.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import {
  attemptLogin,
  attemptLogins,
  countAttempts,
  countStatuses,
  deviceCookieIn,
  expectLimited,
} from './login-attempts.ts'

const newPassword = 'seven grey owls knit at 5 again'
/** Low quotas; a known device keeps its ten. */
const lowQuotas = {
  TRUSTED_PROXIES: '127.0.0.1',
  LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '2',
  LIMIT_FAILED_LOGINS_PER_ADDRESS: '4',
  LIMIT_FAILED_LOGINS_PER_NETWORK: '6',
  LIMIT_FAILED_LOGINS_PER_ACCOUNT: '4',
  LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_NETWORK: '4',
}
const pair = 'failed-logins-by-account-and-address'
const home = '2001:db8::1'

t.test('a known device', async (t) => {
  const { port, db } = await testServer(t, lowQuotas)
  const devices = db.collection<{ _id: { device: Binary } }>('devices')
  let accounts = 0

  /** An account with a known device, while an attacker exhausts every limit that applies to it. */
  async function underAttack() {
    await devices.deleteMany({})
    await db.collection('attempts').deleteMany({})
    accounts += 1
    const ann = `ann${accounts}`
    const cookie = await cookieOf(port, ann)
    await cookieOf(port, `bob${accounts}`)
    const attack = async () => {
      for (const from of [home, '203.0.113.1']) await attemptLogins(port, ann, 2, { from })
      await attemptLogins(port, 'carol', 2, { from: home })
      await attemptLogins(port, 'dave', 2, { from: '2001:db8:0:1::1' })
    }
    await attack()
    return { ann, cookie, device: deviceCookieIn(cookie), attack }
  }

  const counts = () =>
    Promise.all(
      ['account-and-address', 'address', 'network', 'account'].map((by) => countAttempts(db, `failed-logins-by-${by}`)),
    )

  t.test('an attacker’s failed logins do not lock the owner out of a known device', async (t) => {
    const { ann, device, attack } = await underAttack()
    const withoutCookie = await attemptLogin(port, ann, { from: home, password })
    t.equal(withoutCookie.status, 429, 'without the device cookie even the right password is refused')
    const before = await counts()
    const options = { from: home, cookie: device }

    t.equal((await attemptLogin(port, ann, options)).status, 401, 'with it even a wrong password is checked')
    const answer = await attemptLogin(port, ann.toUpperCase(), { ...options, password })
    t.equal(answer.status, 200)
    t.equal(`device=${setCookies(answer.headers).device?.value}`, device, 'the device cookie stays the same')
    const [pair = 0, ...others] = await counts()
    t.same(others, before.slice(1), 'a known device’s attempts do not count against other limits')
    t.equal(pair, (before[0] ?? 0) - 2, 'its success resets the count of account and address')

    await attack()
    t.equal((await attemptLogin(port, ann, { ...options, password })).status, 200, 'and during further attacks')
    const strange = `device=x; device="${'A'.repeat(43)}"`
    for (const cookie of [`${strange}; ${device}`, `${device}; ${strange}`]) {
      t.equal(
        (await attemptLogin(port, ann, { ...options, cookie, password })).status,
        200,
        'beside others of its name',
      )
    }
  })

  t.test('a known device has ten failed logins of its own', async (t) => {
    const { ann, device } = await underAttack()
    await db.collection('attempts').deleteMany({})
    const other = deviceCookieIn(String((await attemptLogin(port, ann, { password })).headers['set-cookie']))

    const options = { from: home, cookie: device }
    t.same(
      countStatuses(await attemptLogins(port, ann, 30, options)),
      { 401: 10, 429: 20 },
      '30 concurrent attempts: 10 are checked',
    )
    expectLimited(t, await attemptLogin(port, ann, { ...options, password }), 'failed-logins-by-device', 10)
    t.equal(
      (await attemptLogin(port, ann, { ...options, from: '203.0.113.3', password })).status,
      429,
      'at another address too',
    )
    t.equal(
      (await attemptLogin(port, ann, { from: home, cookie: other, password })).status,
      200,
      'another device is not limited',
    )
    t.equal(
      (await attemptLogin(port, ann, { from: home, password })).status,
      200,
      'nor is a client without a device cookie',
    )
    t.equal(await countAttempts(db, 'failed-logins-by-device'), 10)

    t.same(countStatuses(await attemptLogins(port, ann, 9, { cookie: other })), { 401: 9 })
    t.equal((await attemptLogin(port, ann, { cookie: other, password })).status, 200)
    t.same(
      countStatuses(await attemptLogins(port, ann, 11, { cookie: other })),
      { 401: 10, 429: 1 },
      'a success resets the count',
    )
  })

  t.test('a device cookie that the account did not issue has no effect', async (t) => {
    const { ann, device } = await underAttack()
    const bobsDevice = deviceCookieIn(await cookieOf(port, 'Bobby'))
    const stored = await devices.find().toArray()
    const values = [
      ...stored.flatMap(({ _id }) => [_id.device.toString('base64'), _id.device.toString('hex')]),
      ...['', '%00', 'x'.repeat(3_000), `${device}x`.slice(7), randomBytes(32).toString('base64url')],
    ]
    for (const cookie of [bobsDevice, ...values.map((value) => `device=${value}`)]) {
      expectLimited(t, await attemptLogin(port, ann, { from: home, cookie, password }), pair, 2)
    }
    t.equal(await countAttempts(db, 'failed-logins-by-device'), 0)
  })

  t.test('a device cookie is random, and only its hash is stored', async (t) => {
    const device = deviceCookieIn(await cookieOf(port, 'Dora'))
    const value = device.slice('device='.length)
    t.match(value, /^[\w-]{43}$/, '256 bits')
    t.not(deviceCookieIn(await cookieOf(port, 'Carol')), device)
    const stored = await devices.find().toArray()
    const hash = createHash('sha256').update(value).digest('hex')
    t.equal(stored.filter(({ _id }) => _id.device.toString('hex') === hash).length, 1)
    const everything = await Promise.all((await dataCollections(db)).map((collection) => collection.find().toArray()))
    t.notOk(JSON.stringify(everything).includes(value))
  })

  t.test('an account knows its 20 last used devices', async (t) => {
    const { ann, device, attack } = await underAttack()
    await db.collection('attempts').deleteMany({})
    const issued: string[] = []
    for (let n = 0; n < 20; n += 1) {
      // The first device is used again halfway.
      if (n === 10) t.equal((await attemptLogin(port, ann, { password, cookie: device })).status, 200)
      const { headers } = await attemptLogin(port, ann, { password })
      issued.push(deviceCookieIn(String(headers['set-cookie'])))
    }
    t.equal(new Set([device, ...issued]).size, 21)
    t.equal(await devices.countDocuments(), 20 + 1, 'and the device of another account')
    await attack()
    const status = async (cookie = '') => (await attemptLogin(port, ann, { from: home, cookie, password: '' })).status
    t.equal(await status(issued[0]), 429, 'the least recently used one is forgotten')
    for (const cookie of [device, issued[1], issued[19]]) t.equal(await status(cookie), 401)
  })

  t.test(
    'a password change forgets all devices of the account but the present one; a logout forgets none',
    async (t) => {
      const { ann, cookie, device } = await underAttack()
      const loggedIn = await attemptLogin(port, ann, { cookie: device, password })
      const session = Object.entries(setCookies(loggedIn.headers)).map(([name, set]) => `${name}=${set?.value}`)
      const logout = await ask(port, 'DELETE', '/v1/session', { headers: { cookie: session.join('; ') } })
      t.same(Object.keys(setCookies(logout.headers)).sort(), ['refresh', 'session'])
      t.equal((await attemptLogin(port, ann, { from: home, cookie: device, password })).status, 200)

      const json = { currentPassword: password, newPassword }
      const change = await ask(port, 'PUT', '/v1/account/password', { json, headers: { cookie } })
      t.equal(change.status, 204)
      const present = deviceCookieIn(String(change.headers['set-cookie']))
      t.not(present, device)
      for (const given of [password, newPassword]) {
        t.equal((await attemptLogin(port, ann, { from: '203.0.113.9', cookie: device, password: given })).status, 429)
      }
      t.equal(await devices.countDocuments(), 1 + 1, 'the present one, and the device of another account')
      const kept = await attemptLogin(port, ann, { from: home, cookie: present, password: newPassword })
      t.equal(kept.status, 200, 'the present browser is known by its new cookie')
      await db.collection('attempts').deleteMany({})
      const again = await attemptLogin(port, ann, { cookie: device, password: newPassword })
      t.equal(again.status, 200)
      t.not(`device=${setCookies(again.headers).device?.value}`, device, 'the old device cookie is replaced')
    },
  )
})
