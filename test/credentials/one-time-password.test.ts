import t from 'tap'
import { digestOf, isLiveOneTimePassword, newOneTimePassword } from '../../src/credentials/one-time-password.ts'

const account = '01890000-0000-7000-8000-000000000001'
const other = '01890000-0000-7000-8000-000000000002'

t.test('a one-time password is live for its account, until it is used or has expired', (t) => {
  const password = newOneTimePassword()
  const live = { until: new Date(Date.now() + 60_000), used: false, digest: digestOf(account, password) }
  t.ok(isLiveOneTimePassword(account, { oneTime: live }, password))
  for (const given of ['', password.slice(1), `${password} `, password.toUpperCase(), newOneTimePassword()]) {
    t.notOk(isLiveOneTimePassword(account, { oneTime: live }, given))
  }
  t.notOk(isLiveOneTimePassword(other, { oneTime: live }, password))
  t.notOk(isLiveOneTimePassword(account, { oneTime: { ...live, used: true } }, password))
  t.notOk(isLiveOneTimePassword(account, { oneTime: { ...live, until: new Date() } }, password))
  t.notOk(isLiveOneTimePassword(account, { oneTime: { until: live.until, used: false } }, password))
  t.notOk(isLiveOneTimePassword(account, {}, password))
  t.notOk(isLiveOneTimePassword(account, undefined, password))
  t.end()
})
