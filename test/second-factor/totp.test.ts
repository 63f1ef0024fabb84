import t from 'tap'
import { enrolmentOf, newTotpSecret, stepOf } from '../../src/second-factor/totp.ts'
import { codeOf } from './authenticator.ts'

/** Of RFC 6238, appendix B, with SHA-1: seconds, and the last six digits. */
const vectors: [number, string][] = [
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
]
const secret = Buffer.from('12345678901234567890')

t.test('the codes are those of RFC 6238', async (t) => {
  for (const [seconds, code] of vectors) {
    t.equal(stepOf(secret, code, seconds * 1_000), Math.floor(seconds / 30), code)
    t.equal(codeOf('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', 0, seconds * 1_000), code, 'of the tests’ own app, too')
  }
})

t.test('a code is accepted in its step, the one before and the one after, and names its own step', async (t) => {
  for (const nowMs of [0, 29_999, 30_000, 59_000, 60_000, 89_999])
    t.equal(stepOf(secret, '287082', nowMs), 1, `${nowMs}`)
  for (const nowMs of [90_000, 120_000, 3_600_000]) t.equal(stepOf(secret, '287082', nowMs), undefined, `${nowMs}`)
  for (const code of ['', '287083', '28708', '2870820', '８７０８２']) t.equal(stepOf(secret, code, 59_000), undefined)
})

t.test('a secret has 160 bits, and an app gets it with all parameters', async (t) => {
  const [one, other] = [newTotpSecret(), newTotpSecret()]
  t.equal(one.length, 20)
  t.notSame(one, other)
  const { secret: text, uri } = enrolmentOf(secret, 'ann_example')
  t.equal(text, 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
  const url = new URL(uri)
  t.equal(`${url.protocol}//${url.host}${decodeURIComponent(url.pathname)}`, 'otpauth://totp/Rookery:ann_example')
  t.same(Object.fromEntries(url.searchParams), {
    issuer: 'Rookery',
    secret: text,
    algorithm: 'SHA1',
    digits: '6',
    period: '30',
  })
})
