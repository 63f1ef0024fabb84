import t from 'tap'
import type { Change } from '../../src/stream/change-feed.ts'
import { countsPacer } from '../../src/stream/counts-pacer.ts'
import { eventLog } from '../../src/stream/event-log.ts'
import { openStreams } from '../../src/stream/open-streams.ts'
import { positionAt, positionOfToken, secondsBefore, timeOf } from '../../src/stream/position.ts'

const at = (seconds: number, number = 1) => positionAt({ t: seconds, i: 1 }, number)
const change = (seconds: number, number = 1): Change => ({
  position: at(seconds, number),
  kind: 'post',
  post: `${seconds}`,
})

t.test('positions are in the order of commits as texts', async (t) => {
  const positions = [at(9), at(10), at(10, 2), at(10, 300), at(2 ** 31), at(2 ** 32 - 1)]
  t.same(positions.toSorted(), positions)
  t.equal(secondsBefore(at(10, 7), 3), positionAt({ t: 7, i: 0 }))
  t.match(timeOf(at(2 ** 32 - 1)), { t: 2 ** 32 - 1, i: 1 })
  t.equal(positionOfToken('826B0C56B50000000D2B0429296E1404'), '6b0c56b50000000d00000000')
  for (const other of ['', undefined, '816B0C56B50000000D', '82xx']) t.equal(positionOfToken(other), undefined)
})

t.test('the event log reads from a number, and finds the number of a position', async (t) => {
  const log = eventLog(10)
  log.begin(at(100))
  log.append([change(110), change(120), change(120, 2), change(130)])
  t.same(log.read(log.numberAfter(at(120)) ?? 0, 2), [change(120), change(120, 2)], 'from 2 seconds before')
  t.same(log.read(log.numberAfter(at(125)) ?? 0, 9), [change(130)])
  t.equal(log.numberAfter(at(130 + 3)), log.end, 'of another process, which is ahead')
  t.equal(log.numberAfter(at(99)), undefined, 'before its beginning')
  t.equal(log.numberAfter(at(900)), undefined, 'in the future')

  log.append(Array.from({ length: 20 }, (_, n) => change(140 + n)))
  t.equal(log.read(0, 1), undefined, 'forgotten')
  t.equal(log.numberAfter(at(140)), undefined)
  t.same(log.read(log.end - 10, 20)?.length, 10)
  t.ok(log.numberAfter(at(158)))
  log.begin(at(200))
  t.equal(log.numberAfter(at(158)), undefined)
  t.same(log.read(log.end, 1), [])
})

t.test('a stream resumes after at most 5,000 changes, however many more the log keeps', async (t) => {
  const log = eventLog()
  log.begin(at(100))
  log.append(Array.from({ length: 5_010 }, (_, n) => change(110, n)))
  t.equal(log.numberAfter(at(110, 8)), undefined)
  t.equal(log.numberAfter(at(110, 5_000)), log.end - 5_010, 'the counts of the last 2 seconds do not count')
  t.ok(log.read(log.end - 5_010, 1), 'a reader that is slow goes on')
})

t.test('counts of a post are due at once, and then every 300 ms', async (t) => {
  let now = 0
  const pacer = countsPacer(() => now)
  const due: [number, string[]][] = []
  for (; now < 1_000; now += 50) {
    pacer.note('busy')
    if (now === 100) pacer.note('other')
    const posts = pacer.take()
    if (posts.length > 0) due.push([now, posts])
  }
  t.same(due, [
    [0, ['busy']],
    [100, ['other']],
    [300, ['busy']],
    [600, ['busy']],
    [900, ['busy']],
  ])
  t.notOk(pacer.isEmpty)
  now = 1_200
  t.same(pacer.take(), ['busy'], 'the last change is not lost')
  t.ok(pacer.isEmpty)
})

t.test('streams are bounded by address, by network and in all', async (t) => {
  const streams = openStreams(2, 14)
  const ended: string[] = []
  const acquire = (ip: string) => streams.acquire(ip, () => ended.push(ip))
  const first = acquire('2001:db8:1:1::1')
  acquire('2001:db8:1:1::2')
  t.throws(() => streams.check('2001:db8:1:1:3::'), { code: 'rate-limited' }, 'a /64 is one address')
  first()
  first()
  acquire('2001:db8:1:1::1')
  t.throws(() => acquire('2001:db8:1:1::1'), { code: 'rate-limited' }, 'released once')
  for (let n = 2; n <= 4; n += 1) for (const host of [1, 2]) acquire(`2001:db8:1:${n}::${host}`)
  t.throws(() => acquire('2001:db8:1:9::'), { code: 'rate-limited', message: /network/ })
  for (let n = 1; n <= 6; n += 1) acquire(`10.0.${n}.1`)
  t.same(ended, [], 'the process is full')
  acquire('10.0.7.1')
  t.same(ended, ['2001:db8:1:1::1'], 'one of the network with the most gives way')
  for (let n = 8; n <= 12; n += 1) acquire(`10.0.${n}.1`)
  t.same(
    ended.map((ip) => ip.slice(9)),
    ['1:1::1', '1:2::2', '1:3::2', '1:4::2', '1:1::2', '1:2::1'],
    'of its addresses first those with the most',
  )
  t.throws(() => acquire('10.0.1.1'), { code: 'overloaded' }, 'no other network has more')
  acquire('10.0.13.1')
  t.throws(() => acquire('10.0.14.1'), { code: 'overloaded' })
})
