import t from 'tap'
import { hasRecoveryCodeForm, newRecoveryCodes, recoveryCodeDigest } from '../../src/second-factor/recovery-codes.ts'

const account = '01a229ac-57e8-76c8-adb9-b361f6d57f62'

t.test('ten codes of 120 random bits, in letters that are not mistaken for others', async (t) => {
  const codes = [...newRecoveryCodes(), ...newRecoveryCodes()]
  t.equal(codes.length, 20)
  t.equal(new Set(codes).size, 20)
  for (const code of codes) t.match(code, /^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){5}$/)
})

t.test('a code is the same in any case, without its hyphens, and with letters that look alike', async (t) => {
  const digest = recoveryCodeDigest(account, '9k3x-m0vq-7h2r-c1wt-5bzn-e4yd')
  for (const typed of [
    '9K3X-M0VQ-7H2R-C1WT-5BZN-E4YD',
    '9k3xm0vq7h2rc1wt5bzne4yd',
    ' 9k3x m0vq 7h2r c1wt 5bzn e4yd ',
    '9k3x-movq-7h2r-clwt-5bzn-e4yd',
    '9k3x-mOvq-7h2r-cIwt-5bzn-e4yd',
  ]) {
    t.ok(hasRecoveryCodeForm(typed), typed)
    t.same(recoveryCodeDigest(account, typed), digest, typed)
  }
  t.notSame(
    recoveryCodeDigest(account.replace('2', '3'), '9k3x-m0vq-7h2r-c1wt-5bzn-e4yd'),
    digest,
    'of another account',
  )
  const short = '9k3x-m0vq-7h2r-c1wt-5bzn-e4y'
  for (const other of ['', short, `${short}dd`, `${short}u`, '9k3x-m0vq-7h2r-c1wt', '123456']) {
    t.notOk(hasRecoveryCodeForm(other), other)
  }
})
