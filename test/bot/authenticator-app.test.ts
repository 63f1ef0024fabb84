import { Secret } from 'otpauth'
import t from 'tap'
import { AuthenticatorApp } from '../../bot/people/authenticator-app.ts'
import { stepOf } from '../../src/second-factor/totp.ts'

t.test('an app gives the codes of the present step and of the next, then recovery codes, each once', async (t) => {
  const secret = new Secret({ size: 20 })
  const bytes = new Uint8Array(secret.buffer)
  let now = 1_800_000_000_000
  const robotsApp = new AuthenticatorApp('ann', secret.base32, () => now)
  robotsApp.recoveryCodes = ['first', 'second']
  const next = async () => {
    const { body, writes } = await robotsApp.next()
    return { step: 'code' in body ? stepOf(bytes, body.code, now) : undefined, body, writes }
  }
  const present = now / 30_000
  t.match(await next(), { step: present, writes: [] })
  t.match(await next(), { step: present + 1 })
  t.match(await next(), { body: { recoveryCode: 'first' }, writes: [{ register: 'recoveryCode:ann:0', value: false }] })
  t.match(await robotsApp.next('recovery code'), { body: { recoveryCode: 'second' } })
  now += 30_000
  t.match(await next(), { step: present + 2 })
  t.equal(stepOf(bytes, robotsApp.madeUpCode(), now), undefined)
})
