import { connect } from 'node:net'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf, expectProblem } from '../http/wire.ts'
import { atQuarterHour } from './quarter-hour.ts'

type Server = Awaited<ReturnType<typeof testServer>>

const signUp = ({ port }: Pick<Server, 'port'>, username: string, headers: Record<string, string> = {}) =>
  ask(port, 'POST', '/v1/accounts', { json: { username, password }, headers })

t.test('the limit of sign-ups by address', async (t) => {
  atQuarterHour(t)
  const server = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '2' })
  const { port, db } = server
  const countSignUps = async (address = '127.0.0.1') => {
    const _id = new RegExp(`^signups:${address}:`)
    return (await db.collection<{ _id: string; count: number }>('throttle').findOne({ _id }))?.count
  }

  t.test('a refused sign-up is released before its answer is sent', async (t) => {
    const bad = [{}, { username: 'ann', password: 'short' }, { username: 'ann', password: 'passwordpassword' }]
    for (const json of [...bad, ...bad]) {
      const answer = await ask(port, 'POST', '/v1/accounts', { json })
      t.equal(answer.status, 400)
      t.match(answer.headers, { ratelimit: /^"signups";r=1;t=\d+$/ })
      t.equal(await countSignUps(), 0)
    }
    const plain = { headers: { 'content-type': 'text/plain' }, body: 'x' }
    t.equal((await ask(port, 'POST', '/v1/accounts', plain)).status, 415)
    t.equal((await ask(port, 'POST', '/v1/accounts', { headers: { origin: 'https://evil.example' } })).status, 403)
    t.equal(await countSignUps(), 0)
  })

  t.test('a refused sign-up is released even if the client has hung up', async (t) => {
    const body = JSON.stringify({ username: 'hangs_up', password: 'short' })
    const head = 'POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    // Its own address: the lost answer may be logged before the place is taken and released.
    const localAddress = '127.0.0.77'
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    socket.on('error', () => undefined)
    await new Promise<void>((resolve) => {
      socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`, () => {
        socket.resetAndDestroy()
        resolve()
      })
    })
    const before = server.lines.length
    const hasEnded = () =>
      server.lines.slice(before).some((line) => /"path":"\/v1\/accounts","status":(499|400)/.test(line))
    await t.resolves(eventually(async () => hasEnded() && ((await countSignUps(localAddress)) ?? 0) === 0))
  })

  t.test('with a quota of 2 two sign-ups succeed, the third gets 429 and is not counted', async (t) => {
    const first = await signUp(server, 'ann')
    t.match(first, {
      status: 201,
      headers: { 'ratelimit-policy': '"signups";q=2;w=900', ratelimit: /^"signups";r=1;t=/ },
    })
    t.equal((await signUp(server, 'ann')).status, 409, 'a taken username does not count')
    t.match(await signUp(server, 'bob'), { status: 201, headers: { ratelimit: /^"signups";r=0;t=/ } })
    for (const name of ['carl', 'carl', 'ann']) {
      const refused = await signUp(server, name)
      expectProblem(t, refused, 'rate-limited')
      t.match(refused.headers, { 'ratelimit-policy': '"signups";q=2;w=900', ratelimit: /^"signups";r=0;t=/ })
      const seconds = Number(refused.headers['retry-after'])
      t.ok(seconds >= 1 && seconds <= 900, 'Retry-After is the rest of the window')
      t.equal(refused.headers.ratelimit, `"signups";r=0;t=${seconds}`)
    }
    t.equal(await countSignUps(), 2)
    t.equal(await db.collection('accounts').countDocuments(), 2)
    const login = await ask(port, 'POST', '/v1/session', { json: { username: 'ann', password } })
    t.equal(login.status, 200, 'logins are not limited')
  })

  t.test('forwarding headers of an untrusted peer do not evade the limit', async (t) => {
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'cf-connecting-ip']) {
      expectProblem(t, await signUp(server, 'carl', { [name]: '203.0.113.9' }), 'rate-limited', name)
    }
  })
})

t.test('25 concurrent sign-ups with a quota of 5: 5 get 201, 20 get 429', async (t) => {
  atQuarterHour(t)
  const server = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '5' })
  const answers = await Promise.all(Array.from({ length: 25 }, (_, n) => signUp(server, `crowd${n}`)))
  t.equal(answers.filter(({ status }) => status === 201).length, 5)
  t.equal(answers.filter(({ status }) => status === 429).length, 20)
  t.equal(await server.db.collection('accounts').countDocuments(), 5)
})

t.test('behind a trusted proxy each IPv4 address and each IPv6 /64 has its own quota', async (t) => {
  atQuarterHour(t)
  const server = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '1', TRUSTED_PROXIES: '127.0.0.1' })
  const from = async (name: string, address: string) =>
    (await signUp(server, name, { 'x-forwarded-for': address })).status
  t.equal(await from('one', '203.0.113.1'), 201)
  t.equal(await from('two', '203.0.113.1'), 429)
  t.equal(await from('two', '203.0.113.2'), 201)
  t.equal(await from('trio', '::ffff:203.0.113.2'), 429, 'the IPv4-mapped address is the same')
  t.equal(await from('trio', '2001:db8:0:1::1'), 201)
  t.equal(await from('four', '2001:db8:0:1:ffff::2'), 429, 'the same /64')
  t.equal(await from('four', '2001:db8:0:2::1'), 201, 'the next /64')
  t.equal(await from('five', '198.51.100.7, 203.0.113.1'), 429, 'addresses that the client itself sent are ignored')
  t.equal(await from('six', '<script>'), 400)
})

t.test('sign-ups are counted in the database, which all processes share', async (t) => {
  const server = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '1' })
  await cookieOf(server.port, 'ann')
  const { _id } = (await server.db.collection<{ _id: string }>('throttle').findOne({ _id: /^signups:/ })) ?? {}
  t.match(_id, /^signups:127\.0\.0\.1:\d+$/, 'the counter of the address')
})

t.test('a password that was judged counts as a sign-up, one on the lists does not', async (t) => {
  atQuarterHour(t)
  const { port } = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '2' })
  const attempt = (given: string) => ask(port, 'POST', '/v1/accounts', { json: { username: 'ann', password: given } })
  const left = async (given: string) => (await attempt(given)).headers.ratelimit?.at('"signups";r='.length)
  for (const listed of ['qwertyuiopasdfgh', 'maytheforcebewithyou']) t.equal(await left(listed), '1')
  t.equal(await left('xkxkxkxkxkxkxkxkxk'), '1')
  t.equal(await left('q7q7q7q7q7q7q7q7q7'), '0', 'the one before counts')
  t.equal((await attempt(password)).status, 429)
})

t.test('each IPv6 /48 and IPv4 /24 has a quota of sign-ups, whatever its addresses', async (t) => {
  atQuarterHour(t)
  const server = await testServer(t, {
    LIMIT_SIGNUPS_PER_NETWORK: '2',
    LIMIT_SIGNUPS_PER_ADDRESS: '2',
    TRUSTED_PROXIES: '127.0.0.1',
  })
  let accounts = 0
  const from = async (address: string) => {
    accounts += 1
    const { status, headers } = await signUp(server, `user${accounts}`, { 'x-forwarded-for': address })
    return status === 429 ? headers['ratelimit-policy'] : status
  }
  for (const [first, second, third, elsewhere] of [
    ['2001:db8:1:1::1', '2001:db8:1:2::1', '2001:db8:1:3::1', '2001:db8:2:1::1'],
    ['10.0.1.1', '10.0.1.2', '10.0.1.3', '10.0.2.1'],
  ] as const) {
    t.equal(await from(first), 201)
    t.equal(await from(second), 201)
    t.equal(await from(third), '"signups-by-network";q=2;w=900')
    t.equal(await from(elsewhere), 201)
  }
  const counts = await server.db
    .collection<{ _id: string; count: number }>('throttle')
    .find({ _id: /^signups:/ })
    .toArray()
  t.same(new Set(counts.map(({ count }) => count)), new Set([1]), 'what the network’s quota refused counts nowhere')
})

t.test('clients that send headers and no body keep no place of a sign-up', async (t) => {
  atQuarterHour(t)
  const server = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '2' })
  let arrived = 0
  server.app.server.on('request', () => (arrived += 1))
  const head = 'POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n'
  for (let n = 0; n < 5; n += 1) {
    const socket = connect(server.port, '127.0.0.1').on('error', () => undefined)
    t.teardown(() => socket.destroy())
    socket.write(head)
  }
  await eventually(() => arrived === 5)
  for (const name of ['ann', 'bob']) t.equal((await signUp(server, name)).status, 201)
})

t.test('attempts to sign up that fail are limited to ten times the sign-ups, for the address', async (t) => {
  atQuarterHour(t)
  const server = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '2', TRUSTED_PROXIES: '127.0.0.1' })
  const from = (name: string, address: string) => signUp(server, name, { 'x-forwarded-for': address })
  t.equal((await from('ann', '203.0.113.1')).status, 201)
  for (let n = 0; n < 10; n += 1) t.equal((await from('ann', '203.0.113.1')).status, 409)
  for (let n = 0; n < 10; n += 1) t.equal((await from('x', '203.0.113.1')).status, 400)
  const refused = await from('ann', '203.0.113.1')
  expectProblem(t, refused, 'rate-limited')
  t.equal(refused.headers['ratelimit-policy'], '"signups-attempts-by-address";q=20;w=900')
  t.equal((await from('ann', '203.0.113.2')).status, 409, 'another address')
})
