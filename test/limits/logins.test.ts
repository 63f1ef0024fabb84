import t from 'tap'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf } from '../http/wire.ts'
import { twoServers } from '../sessions/servers.ts'
import { ageDevices, attemptLogin, countStatuses, deviceCookieIn, expectLimited } from './login-attempts.ts'
import { atQuarterHour, quarterHour } from './quarter-hour.ts'

t.test('successful logins are limited for each account, over two servers', async (t) => {
  const clock = atQuarterHour(t)
  const { urls, db } = await twoServers(t, {
    LIMIT_LOGINS_PER_ACCOUNT: '5',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '100',
  })
  const ports = urls.map((url) => Number(new URL(url).port))
  const [port = 0, other = 0] = ports
  const cookie = await cookieOf(port, 'ann')
  await cookieOf(port, 'bob')
  for (let n = 0; n < 5; n += 1) t.equal((await attemptLogin(port, 'ann')).status, 401, 'a failure does not count')
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) => attemptLogin(ports[n % 2] ?? 0, 'ann', { password })),
  )
  t.same(countStatuses(answers), { 200: 5, 429: 7 })
  t.equal(await db.collection('sessions').countDocuments(), 2 + 5)
  for (const options of [{ password }, {}]) expectLimited(t, await attemptLogin(other, 'ANN', options), 'logins', 5)
  const known = { password, cookie: deviceCookieIn(cookie) }
  for (let n = 0; n < 5; n += 1) t.equal((await attemptLogin(ports[n % 2] ?? 0, 'ann', known)).status, 200)
  for (const options of [known, { cookie: known.cookie }])
    expectLimited(t, await attemptLogin(other, 'ANN', options), 'logins-from-new-devices', 5)
  await ageDevices(db)
  for (let n = 0; n < 5; n += 1) t.equal((await attemptLogin(ports[n % 2] ?? 0, 'ann', known)).status, 200)
  expectLimited(t, await attemptLogin(other, 'ANN', known), 'logins-by-device', 5)
  t.equal((await attemptLogin(port, 'bob', { password })).status, 200, 'another account is not limited')
  t.equal((await ask(port, 'GET', '/v1/session', { headers: { cookie } })).status, 200, 'live sessions go on')
  clock.forward(quarterHour)
  t.equal((await attemptLogin(port, 'ann', { password })).status, 200, 'the next window has the complete quota')
})

t.test('successful logins are limited for each address', async (t) => {
  atQuarterHour(t)
  const { port } = await testServer(t, { LIMIT_LOGINS_PER_ADDRESS: '2', TRUSTED_PROXIES: '127.0.0.1' })
  for (const name of ['ann', 'bob']) await cookieOf(port, name)
  const cookie = deviceCookieIn(await cookieOf(port, 'carol'))
  const logIn = (name: string, from: string) => attemptLogin(port, name, { from, password })
  t.equal((await logIn('ann', '2001:db8::1')).status, 200)
  t.equal((await logIn('bob', '2001:db8::2')).status, 200)
  expectLimited(t, await logIn('carol', '2001:db8::3'), 'logins-by-address', 2)
  const known = await attemptLogin(port, 'carol', { from: '2001:db8::3', password, cookie })
  t.equal(known.status, 200, 'a known device behind the same address goes on')
  t.equal((await logIn('carol', '2001:db8:0:1::3')).status, 200, 'another /64')
})
