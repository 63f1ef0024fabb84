import { createHash, randomBytes } from 'node:crypto'
import type { Binary } from 'mongodb'
import t from 'tap'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf } from '../http/wire.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { counted, deviceIn, isLimited, statuses, tryOften, tryOnce } from './login-attempts.ts'

const newPassword = 'seven grey owls knit at 5 again'
/** So few that they are soon used up; a device's ten stay. */
const few = {
  TRUSTED_PROXIES: '127.0.0.1',
  LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '2',
  LIMIT_FAILED_LOGINS_PER_ADDRESS: '4',
  LIMIT_FAILED_LOGINS_PER_NETWORK: '6',
  LIMIT_FAILED_LOGINS_PER_ACCOUNT: '4',
}
const pair = 'failed-logins-by-account-and-address'
const home = '2001:db8::1'

t.test('a known device', async (t) => {
  const { port, db } = await testServer(t, few)
  const devices = db.collection<{ _id: { device: Binary } }>('devices')
  let people = 0

  /** Somebody with a browser that is known, and others who have used up every limit there is for her. */
  async function underAttack() {
    await devices.deleteMany({})
    await db.collection('attempts').deleteMany({})
    people += 1
    const ann = `ann${people}`
    const cookie = await cookieOf(port, ann)
    await cookieOf(port, `bob${people}`)
    const attack = async () => {
      for (const from of [home, '203.0.113.1']) await tryOften(port, ann, 2, { from })
      await tryOften(port, 'carol', 2, { from: home })
      await tryOften(port, 'dave', 2, { from: '2001:db8:0:1::1' })
    }
    await attack()
    return { ann, cookie, device: deviceIn(cookie), attack }
  }

  const counts = () =>
    Promise.all(
      ['account-and-address', 'address', 'network', 'account'].map((by) => counted(db, `failed-logins-by-${by}`)),
    )

  t.test('who fails on purpose does not lock the owner out', async (t) => {
    const { ann, device, attack } = await underAttack()
    const stranger = await tryOnce(port, ann, { from: home, password })
    t.equal(stranger.status, 429, 'without the cookie the right password does not help')
    const before = await counts()
    const wish = { from: home, cookie: device }

    t.equal((await tryOnce(port, ann, wish)).status, 401, 'with it even a wrong one is looked at')
    const answer = await tryOnce(port, ann.toUpperCase(), { ...wish, password })
    t.equal(answer.status, 200)
    t.equal(`device=${setCookies(answer.headers).device?.value}`, device, 'it stays the same device')
    const [pair = 0, ...others] = await counts()
    t.same(others, before.slice(1), 'what a known device does counts for nobody else')
    t.equal(pair, (before[0] ?? 0) - 2, 'but a success clears the pair’s')

    await attack()
    t.equal((await tryOnce(port, ann, { ...wish, password })).status, 200, 'however long it goes on')
  })

  t.test('it has ten of its own', async (t) => {
    const { ann, device } = await underAttack()
    await db.collection('attempts').deleteMany({})
    const other = deviceIn(String((await tryOnce(port, ann, { password })).headers['set-cookie']))

    const wish = { from: home, cookie: device }
    t.same(statuses(await tryOften(port, ann, 30, wish)), { 401: 10, 429: 20 }, 'exactly, many at once')
    isLimited(t, await tryOnce(port, ann, { ...wish, password }), 'failed-logins-by-device', 10)
    t.equal((await tryOnce(port, ann, { ...wish, from: '203.0.113.3', password })).status, 429, 'wherever it is')
    t.equal((await tryOnce(port, ann, { from: home, cookie: other, password })).status, 200, 'another device goes on')
    t.equal((await tryOnce(port, ann, { from: home, password })).status, 200, 'and who has none')
    t.equal(await counted(db, 'failed-logins-by-device'), 10)

    t.same(statuses(await tryOften(port, ann, 9, { cookie: other })), { 401: 9 })
    t.equal((await tryOnce(port, ann, { cookie: other, password })).status, 200)
    t.same(statuses(await tryOften(port, ann, 11, { cookie: other })), { 401: 10, 429: 1 }, 'a success clears it')
  })

  t.test('a cookie that the account did not give helps nobody', async (t) => {
    const { ann, device } = await underAttack()
    const bobs = deviceIn(await cookieOf(port, 'Bobby'))
    const stored = await devices.find().toArray()
    const values = [
      ...stored.flatMap(({ _id }) => [_id.device.toString('base64'), _id.device.toString('hex')]),
      ...['', '%00', 'x'.repeat(3_000), `${device}x`.slice(7), randomBytes(32).toString('base64url')],
    ]
    for (const cookie of [bobs, ...values.map((value) => `device=${value}`)]) {
      isLimited(t, await tryOnce(port, ann, { from: home, cookie, password }), pair, 2)
    }
    t.equal(await counted(db, 'failed-logins-by-device'), 0)
  })

  t.test('its cookie is random, and only a hash of it is stored', async (t) => {
    const device = deviceIn(await cookieOf(port, 'Dora'))
    const value = device.slice('device='.length)
    t.match(value, /^[\w-]{43}$/, '256 bits')
    t.not(deviceIn(await cookieOf(port, 'Carol')), device)
    const stored = await devices.find().toArray()
    const hash = createHash('sha256').update(value).digest('hex')
    t.equal(stored.filter(({ _id }) => _id.device.toString('hex') === hash).length, 1)
    const everything = await Promise.all((await db.collections()).map((collection) => collection.find().toArray()))
    t.notOk(JSON.stringify(everything).includes(value))
  })

  t.test('an account knows the twenty that were last used', async (t) => {
    const { ann, device, attack } = await underAttack()
    await db.collection('attempts').deleteMany({})
    const given: string[] = []
    for (let n = 0; n < 20; n += 1) {
      // The first is used again in between.
      if (n === 10) t.equal((await tryOnce(port, ann, { password, cookie: device })).status, 200)
      const { headers } = await tryOnce(port, ann, { password })
      given.push(deviceIn(String(headers['set-cookie'])))
    }
    t.equal(new Set([device, ...given]).size, 21)
    t.equal(await devices.countDocuments(), 20 + 1, 'and Bob’s')
    await attack()
    const status = async (cookie = '') => (await tryOnce(port, ann, { from: home, cookie, password: '' })).status
    t.equal(await status(given[0]), 429, 'the one that was unused the longest')
    for (const cookie of [device, given[1], given[19]]) t.equal(await status(cookie), 401)
  })

  t.test('a change of password forgets them all; logging out forgets none', async (t) => {
    const { ann, cookie, device } = await underAttack()
    const loggedIn = await tryOnce(port, ann, { cookie: device, password })
    const session = Object.entries(setCookies(loggedIn.headers)).map(([name, set]) => `${name}=${set?.value}`)
    const out = await ask(port, 'DELETE', '/v1/session', { headers: { cookie: session.join('; ') } })
    t.same(Object.keys(setCookies(out.headers)).sort(), ['refresh', 'session'])
    t.equal((await tryOnce(port, ann, { from: home, cookie: device, password })).status, 200)

    const json = { currentPassword: password, newPassword }
    t.equal((await ask(port, 'PUT', '/v1/account/password', { json, headers: { cookie } })).status, 204)
    for (const given of [password, newPassword]) {
      t.equal((await tryOnce(port, ann, { from: '203.0.113.9', cookie: device, password: given })).status, 429)
    }
    t.equal(await devices.countDocuments(), 1, 'Bob’s is still known')
    await db.collection('attempts').deleteMany({})
    const again = await tryOnce(port, ann, { cookie: device, password: newPassword })
    t.equal(again.status, 200)
    t.not(`device=${setCookies(again.headers).device?.value}`, device, 'the old one is not taken up again')
  })
})
