import t from 'tap'
import { password, testServer } from '../helper.ts'
import { cookieOf } from '../http/wire.ts'
import { age, counted, isLimited, statuses, tryOften, tryOnce } from './login-attempts.ts'

const behindProxy = { TRUSTED_PROXIES: '127.0.0.1' }

t.test('the limits beside the pair’s', async (t) => {
  const { port, db } = await testServer(t, behindProxy)
  await cookieOf(port, 'Ann')
  const forget = () => db.collection('attempts').deleteMany({})

  t.test('fifty from one address, whatever the names', async (t) => {
    const at = { from: '203.0.113.1' }
    t.same(statuses(await tryOften(port, 'ann', 20, at)), { 401: 10, 429: 10 })
    t.equal(await counted(db, 'failed-logins-by-address'), 10, 'what the pair’s limit refused does not count here')
    t.equal(await counted(db, 'failed-logins-by-account'), 10, 'nor for the account')
    for (let n = 0; n < 39; n += 1) {
      const { status } = await tryOnce(port, `somebody${n % 13}`, at)
      if (status !== 401) t.fail(`${status} at the ${n}th`)
    }
    t.equal((await tryOnce(port, 'the_last', at)).status, 401)
    const over = (name: string) => tryOnce(port, name, { ...at, password })
    isLimited(t, await over('ann'), 'failed-logins-by-account-and-address', 10)
    for (const name of ['the_last', 'somebody_new']) isLimited(t, await over(name), 'failed-logins-by-address', 50)
    t.equal((await tryOnce(port, 'ann', { from: '203.0.113.2', password })).status, 200, 'elsewhere all is well')

    await age(db, 900)
    t.same(statuses(await tryOften(port, 'ann', 20, at)), { 401: 10, 429: 10 }, 'and here when they are old')
  })

  t.test('a hundred of one account, wherever from', async (t) => {
    await forget()
    for (let n = 0; n < 10; n += 1) await tryOften(port, n % 2 ? 'ann' : 'ANN', 10, { from: `203.0.113.${n}` })
    t.equal(await counted(db, 'failed-logins-by-account-and-address'), 100)
    for (const from of ['203.0.113.99', '2001:db8::1']) {
      isLimited(t, await tryOnce(port, 'ann', { from, password }), 'failed-logins-by-account', 100)
      t.equal((await tryOnce(port, 'bob', { from })).status, 401, 'others from there go on')
    }
    await tryOften(port, 'nobody', 15, { from: '203.0.113.100' })
    t.equal(await counted(db, 'failed-logins-by-address'), 100 + 2 + 10, 'nor is it counted for the address')
  })

  t.test('two hundred from an IPv6 /48, fifty from each /64 of it', async (t) => {
    await forget()
    // Five names, ten times each, from as many addresses of one /64.
    const household = async (net: string) => {
      const answers = Array.from({ length: 5 }, (_, n) =>
        tryOften(port, `${n}_of_${net}`, 10, { from: `2001:db8:7:${net}::${n}` }),
      )
      return statuses((await Promise.all(answers)).flat())
    }
    for (const net of ['0', '1', 'ffff', 'abcd']) t.same(await household(net), { 401: 50 }, net)
    t.equal(await counted(db, 'failed-logins-by-network'), 200)
    isLimited(t, await tryOnce(port, 'bob', { from: '2001:db8:7:1:1:2:3:4' }), 'failed-logins-by-address', 50)
    isLimited(t, await tryOnce(port, 'ann', { from: '2001:DB8:7:8::1', password }), 'failed-logins-by-network', 200)
    t.equal((await tryOnce(port, 'ann', { from: '2001:db8:8::1', password })).status, 200, 'the next /48')
    t.equal((await tryOnce(port, 'ann', { from: '203.0.113.1' })).status, 401, 'IPv4 is in no network')
    t.equal(await counted(db, 'failed-logins-by-network'), 200)
  })
})

t.test('each limit is what the configuration says', async (t) => {
  const { port } = await testServer(t, {
    ...behindProxy,
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '2',
    LIMIT_FAILED_LOGINS_PER_ADDRESS: '3',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT: '4',
    LIMIT_FAILED_LOGINS_PER_NETWORK: '5',
  })
  const limit = async (name: string, from: string) => {
    const { status, headers } = await tryOnce(port, name, { from })
    return status === 429 ? headers['ratelimit-policy'] : status
  }
  t.equal(await limit('ann', '2001:db8::1'), 401)
  t.equal(await limit('ann', '2001:db8::2'), 401)
  t.equal(await limit('ann', '2001:db8::3'), '"failed-logins-by-account-and-address";q=2;w=900')
  t.equal(await limit('bob', '2001:db8::4'), 401)
  t.equal(await limit('bob', '2001:db8::5'), '"failed-logins-by-address";q=3;w=900')
  t.equal(await limit('ann', '2001:db8:0:1::'), 401)
  t.equal(await limit('ann', '2001:db8:1::'), 401)
  t.equal(await limit('ann', '2001:db8:2::'), '"failed-logins-by-account";q=4;w=900')
  t.equal(await limit('carol', '2001:db8:0:2::'), 401)
  t.equal(await limit('dave', '2001:db8:0:3::'), '"failed-logins-by-network";q=5;w=900')
})
