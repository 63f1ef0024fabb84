import t from 'tap'
import { password, testServer } from '../helper.ts'
import { cookieOf } from '../http/wire.ts'
import {
  ageAttempts,
  attemptLogin,
  attemptLogins,
  countAttempts,
  countStatuses,
  expectLimited,
  forgetRefusals,
} from './login-attempts.ts'

const behindProxy = { TRUSTED_PROXIES: '127.0.0.1' }

t.test('the limits of failed logins by address, account and network', async (t) => {
  const { port, db } = await testServer(t, behindProxy)
  await cookieOf(port, 'Ann')
  const reset = () => db.collection('attempts').deleteMany({})

  t.test('after 50 failed logins from one address every username there gets 429', async (t) => {
    const at = { from: '203.0.113.1' }
    t.same(countStatuses(await attemptLogins(port, 'ann', 20, at)), { 401: 10, 429: 10 })
    t.equal(
      await countAttempts(db, 'failed-logins-by-address'),
      10,
      'attempts that the limit by account and address refused do not count',
    )
    t.equal(await countAttempts(db, 'failed-logins-by-account'), 10, 'nor do they for the account')
    for (let n = 0; n < 39; n += 1) {
      const { status } = await attemptLogin(port, `name${n % 13}`, at)
      if (status !== 401) t.fail(`${status} for attempt ${n}`)
    }
    t.equal((await attemptLogin(port, 'the_last', at)).status, 401)
    const attemptAs = (name: string) => attemptLogin(port, name, { ...at, password })
    expectLimited(t, await attemptAs('ann'), 'failed-logins-by-account-and-address', 10)
    for (const name of ['the_last', 'another_name'])
      expectLimited(t, await attemptAs(name), 'failed-logins-by-address', 50)
    t.equal(
      (await attemptLogin(port, 'ann', { from: '203.0.113.2', password })).status,
      200,
      'another address is not limited',
    )

    await ageAttempts(db, 900)
    await forgetRefusals()
    t.same(
      countStatuses(await attemptLogins(port, 'ann', 20, at)),
      { 401: 10, 429: 10 },
      '15 minutes later neither is this one',
    )
  })

  t.test('after 100 failed logins of one account every address gets 429 for it', async (t) => {
    await reset()
    for (let n = 0; n < 10; n += 1) await attemptLogins(port, n % 2 ? 'ann' : 'ANN', 10, { from: `10.0.${n}.1` })
    t.equal(await countAttempts(db, 'failed-logins-by-account-and-address'), 100)
    for (const from of ['10.0.99.1', '2001:db8::1']) {
      expectLimited(t, await attemptLogin(port, 'ann', { from, password }), 'failed-logins-by-account', 100)
      t.equal((await attemptLogin(port, 'bob', { from })).status, 401, 'other accounts at that address are not limited')
    }
    await attemptLogins(port, 'no_account', 15, { from: '10.0.100.1' })
    t.equal(
      await countAttempts(db, 'failed-logins-by-address'),
      100 + 2 + 10,
      'refused attempts do not count for the address',
    )
  })

  t.test('after 20 failed logins of one account from one network all of it gets 429 for that account', async (t) => {
    const addresses = {
      '2001:db8:9::/48': ['2001:db8:9:1::1', '2001:db8:9:2::1', '2001:db8:9:3::1'],
      '10.2.3.0/24': ['10.2.3.1', '10.2.3.2', '10.2.3.3'],
    }
    for (const [network, [first = '', second = '', third = '']] of Object.entries(addresses)) {
      for (const name of ['ann', 'no_account']) {
        await reset()
        for (const from of [first, second]) {
          const answers = await attemptLogins(port, name, 10, { from })
          t.same(countStatuses(answers), { 401: 10 }, `${name} from ${from} in ${network}`)
        }
        const limited = await attemptLogin(port, name, { from: third, password })
        expectLimited(t, limited, 'failed-logins-by-account-and-network', 20)
        t.equal((await attemptLogin(port, 'bob', { from: third })).status, 401, 'not for other accounts')
      }
      await reset()
      for (const from of [first, second]) await attemptLogins(port, 'ann', 10, { from })
      t.equal((await attemptLogin(port, 'ann', { from: '192.0.2.1', password })).status, 200, 'nor elsewhere')
    }
  })

  t.test('after 50 failed logins from an IPv6 /64 it gets 429, after 200 from a /48 all of it', async (t) => {
    await reset()
    // Five usernames, ten times each, from five addresses of one /64.
    const failFrom = async (net: string) => {
      const answers = Array.from({ length: 5 }, (_, n) =>
        attemptLogins(port, `${n}_of_${net}`, 10, { from: `2001:db8:7:${net}::${n}` }),
      )
      return countStatuses((await Promise.all(answers)).flat())
    }
    for (const net of ['0', '1', 'ffff', 'abcd']) t.same(await failFrom(net), { 401: 50 }, net)
    t.equal(await countAttempts(db, 'failed-logins-by-network'), 200)
    expectLimited(t, await attemptLogin(port, 'bob', { from: '2001:db8:7:1:1:2:3:4' }), 'failed-logins-by-address', 50)
    expectLimited(
      t,
      await attemptLogin(port, 'ann', { from: '2001:DB8:7:8::1', password }),
      'failed-logins-by-network',
      200,
    )
    t.equal((await attemptLogin(port, 'ann', { from: '2001:db8:8::1', password })).status, 200, 'the next /48')
    t.equal(await countAttempts(db, 'failed-logins-by-network'), 200)
    for (let n = 0; n < 4; n += 1) {
      const names = Array.from({ length: 50 }, (_, m) => attemptLogin(port, `v4_${n}_${m}`, { from: `10.1.2.${n}` }))
      t.same(countStatuses(await Promise.all(names)), { 401: 50 })
    }
    const inNetwork = await attemptLogin(port, 'ann', { from: '10.1.2.99', password })
    expectLimited(t, inNetwork, 'failed-logins-by-network', 200)
    t.equal((await attemptLogin(port, 'ann', { from: '10.1.3.1', password })).status, 200, 'the next /24')
  })
})

t.test('each limit of failed logins has the configured quota', async (t) => {
  const { port } = await testServer(t, {
    ...behindProxy,
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '2',
    LIMIT_FAILED_LOGINS_PER_ADDRESS: '3',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT: '4',
    LIMIT_FAILED_LOGINS_PER_NETWORK: '5',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_NETWORK: '3',
  })
  const limitOrStatus = async (name: string, from: string) => {
    const { status, headers } = await attemptLogin(port, name, { from })
    return status === 429 ? headers['ratelimit-policy'] : status
  }
  t.equal(await limitOrStatus('ann', '2001:db8::1'), 401)
  t.equal(await limitOrStatus('ann', '2001:db8::2'), 401)
  t.equal(await limitOrStatus('ann', '2001:db8::3'), '"failed-logins-by-account-and-address";q=2;w=900')
  t.equal(await limitOrStatus('bob', '2001:db8::4'), 401)
  t.equal(await limitOrStatus('bob', '2001:db8::5'), '"failed-logins-by-address";q=3;w=900')
  t.equal(await limitOrStatus('ann', '2001:db8:0:1::'), 401)
  t.equal(await limitOrStatus('ann', '2001:db8:0:4::'), '"failed-logins-by-account-and-network";q=3;w=900')
  t.equal(await limitOrStatus('ann', '2001:db8:1::'), 401)
  t.equal(await limitOrStatus('ann', '2001:db8:2::'), '"failed-logins-by-account";q=4;w=900')
  t.equal(await limitOrStatus('carol', '2001:db8:0:2::'), 401)
  t.equal(await limitOrStatus('dave', '2001:db8:0:3::'), '"failed-logins-by-network";q=5;w=900')
})
