import t from 'tap'
import { hasRecoveryCodeForm, newRecoveryCodes, recoveryCodeDigest } from '../../src/second-factor/recovery-codes.ts'

const account = '01a229ac-57e8-76c8-adb9-b361f6d57f62'

t.test('ten codes of 80 random bits, in letters that are not mistaken for others', async (t) => {
  const codes = [...newRecoveryCodes(), ...newRecoveryCodes()]
  t.equal(codes.length, 20)
  t.equal(new Set(codes).size, 20)
  for (const code of codes) t.match(code, /^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){3}$/)
})

t.test('a code is the same in any case, without its hyphens, and with letters that look alike', async (t) => {
  const digest = recoveryCodeDigest(account, '9k3x-m0vq-7h2r-c1wt')
  for (const typed of [
    '9K3X-M0VQ-7H2R-C1WT',
    '9k3xm0vq7h2rc1wt',
    ' 9k3x m0vq 7h2r c1wt ',
    '9k3x-movq-7h2r-clwt',
    '9k3x-mOvq-7h2r-cIwt',
  ]) {
    t.ok(hasRecoveryCodeForm(typed), typed)
    t.same(recoveryCodeDigest(account, typed), digest, typed)
  }
  t.notSame(recoveryCodeDigest(account.replace('2', '3'), '9k3x-m0vq-7h2r-c1wt'), digest, 'of another account')
  for (const other of ['', '9k3x-m0vq-7h2r-c1w', '9k3x-m0vq-7h2r-c1wtt', '9k3x-m0vq-7h2r-c1wu', '123456']) {
    t.notOk(hasRecoveryCodeForm(other), other)
  }
})
