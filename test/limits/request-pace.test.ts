import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { requestPace } from '../../src/limits/request-pace.ts'
import { testServer } from '../helper.ts'
import { ask } from '../http/wire.ts'

function requestFrom(remoteAddress: string | undefined, headers: Record<string, string> = {}): IncomingMessage {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress })
  return Object.assign(new IncomingMessage(socket), { headers, rawHeaders: Object.entries(headers).flat() })
}

const paceOf = (perSecond: number, trustedProxies: string[] = []) => {
  const clock = { nowMs: 0 }
  const delayMsOf = requestPace({ perSecond, trustedProxies }, () => clock.nowMs)
  const delays = (count: number, ip: string, headers?: Record<string, string>) =>
    Array.from({ length: count }, () => delayMsOf(requestFrom(ip, headers)))
  return { clock, delays, delayMsOf }
}

t.test('an address begins what a second allows at once, and further requests evenly spaced', async (t) => {
  const { clock, delays } = paceOf(10)
  t.same(delays(10, '203.0.113.7'), Array(10).fill(0))
  t.same(delays(3, '203.0.113.7'), [100, 200, 300])
  t.same(delays(1, '198.51.100.7'), [0], 'another network')
  t.equal(Math.max(...delays(100, '203.0.113.7')), 1_000, 'none waits longer')
  clock.nowMs += 60_000
  t.same(delays(10, '::ffff:203.0.113.7'), Array(10).fill(0), 'a quiet address has them all again')
  t.same(delays(1, '203.0.113.7'), [100])
})

t.test('a network has four times as many, and addresses of a /64 count as one', async (t) => {
  const { delays } = paceOf(10)
  for (const subnet of ['1', '2', '3', '4']) t.same(delays(10, `2001:db8:0:${subnet}::1`), Array(10).fill(0))
  t.same(delays(1, '2001:db8:0:5::1'), [25])
  t.same(delays(1, '2001:db8:0:1::2'), [100])
})

t.test('clients of a trusted proxy are told apart, and a header of another peer is not believed', async (t) => {
  const { delays } = paceOf(1, ['192.0.2.1'])
  const by = (ip: string) => ({ 'x-forwarded-for': ip })
  t.same(delays(2, '192.0.2.1', by('203.0.113.7')), [0, 1_000])
  t.same(delays(1, '192.0.2.1', by('198.51.100.7')), [0])
  t.same(delays(1, '198.18.0.1', by('10.0.0.1')), [0])
  t.same(delays(1, '198.18.0.1', by('10.9.0.1')), [1_000])
})

t.test('requests of clients that no proxy names wait for each other, and their proxy does not', async (t) => {
  const { delays } = paceOf(1, ['192.0.2.1'])
  t.same(delays(2, '192.0.2.1', { 'x-forwarded-for': '203.0.113.7, '.repeat(100) }), [0, 1_000])
  t.same(delays(1, '192.0.2.1', { 'x-forwarded-for': 'unknown' }), [1_000])
  t.same(delays(1, '192.0.2.1'), [0])
})

t.test('requests with long headers count by their length, wait for each other alone, and for up to 4 s', async (t) => {
  const { clock, delays } = paceOf(100)
  const long = { cookie: 'x'.repeat(16_384 - 'cookie'.length - 40) }
  t.same(delays(4, '203.0.113.7', long), [0, 0, 0, 280], '32 of 100 each')
  t.same(delays(1, '203.0.113.7'), [0], 'one with short headers does not wait for them')
  const many = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`x${n}`, '']))
  t.ok((delays(1, '203.0.113.7', many)[0] ?? 0) > 300, 'so do those with many headers')
  t.equal(Math.max(...delays(100, '203.0.113.7', long)), 4_000)
  t.same(delays(1, '198.51.100.7', long), [0], 'another network')
  clock.nowMs += 60_000
  t.same(delays(4, '203.0.113.7', long), [0, 0, 0, 280])
})

t.test('a request whose client has left does not wait', async (t) => {
  const { delayMsOf } = paceOf(1)
  t.same(
    [1, 2].map(() => delayMsOf(requestFrom(undefined))),
    [0, 0],
  )
})

t.test('requests that no other limit refuses wait for their pace, and are answered', async (t) => {
  const { port } = await testServer(t, { LIMIT_REQUESTS_PER_SECOND_PER_ADDRESS: '1' })
  const sentMs = performance.now()
  const answers = await Promise.all(['/nowhere', '/health/live'].map((path) => ask(port, 'GET', path)))
  t.same(
    answers.map(({ status }) => status),
    [404, 200],
  )
  // A lower bound: a busy machine only adds to it.
  t.ok(performance.now() - sentMs > 900)
})
