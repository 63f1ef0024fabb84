import { randomBytes } from 'node:crypto'
import { Binary } from 'mongodb'
import t from 'tap'
import { Problem } from '../../src/http/problems.ts'
import { seal, unseal } from '../../src/second-factor/seal.ts'

const account = '01a229ac-57e8-76c8-adb9-b361f6d57f62'
const keyOf = (id: string) => ({ id, secret: randomBytes(32).toString('hex') })
const [a, b] = [keyOf('a'), keyOf('b')]
const secret = randomBytes(20)

t.test('what one key has encrypted, that key decrypts, wherever it stands in the list', async (t) => {
  const sealed = seal(secret, account, a)
  t.equal(sealed.key, 'a')
  for (const keys of [[a], [a, b], [b, a]]) t.same(unseal(sealed, account, keys), secret)
  const again = seal(secret, account, a)
  t.notSame(again.nonce, sealed.nonce)
  t.notSame(again.text, sealed.text)
  t.notOk(Buffer.from(sealed.text.buffer).includes(secret))
})

t.test('nothing decrypts it but its key, for its account, as it is', async (t) => {
  const sealed = seal(secret, account, a)
  const other = '01a229ac-57e8-76c8-adb9-b361f6d57f63'
  t.throws(() => unseal(sealed, other, [a]), 'another account')
  t.throws(() => unseal(sealed, account, [{ ...b, id: 'a' }]), 'another secret under the same id')
  for (const part of ['nonce', 'text'] as const) {
    for (const at of [0, sealed[part].length() - 1]) {
      const bytes = Buffer.from(sealed[part].buffer)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      t.throws(() => unseal({ ...sealed, [part]: new Binary(bytes) }, account, [a]), `${part} ${at}`)
    }
  }
})

t.test('without its key, the answer is 503, and names no secret', async (t) => {
  const sealed = seal(secret, account, a)
  try {
    unseal(sealed, account, [b])
    t.fail('it was decrypted')
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    t.equal(error.code, 'overloaded')
    t.match(error.cause, { message: 'TOTP_KEYS lacks a, which a secret was encrypted with' })
  }
})
