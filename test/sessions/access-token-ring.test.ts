import t from 'tap'
import { toPublicPem } from '../../src/secrets/ed25519.ts'
import { ed25519Key, publicKey, secondsFromNow, symmetricKey } from '../secrets/rings.ts'
import { changeableKeys, claims, forge, type Json, tokenServer } from './ring-server.ts'

const headerOf = (token: string): Json => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
const endsAt = secondsFromNow(86_400)
const { sub: account, sid: session } = claims()
const viewer = { account, session, generation: 3 }

t.test('the newest key whose signFrom has passed signs, with its own algorithm, and every key verifies', async (t) => {
  const [old, current] = [symmetricKey('old'), ed25519Key('current', secondsFromNow(-60))]
  const next = ed25519Key('next', secondsFromNow(600))
  const keys = changeableKeys([old])
  const { tokens } = await tokenServer(t, keys)
  const first = tokens.sign(viewer, endsAt)
  t.same(headerOf(first.token), { alg: 'HS256', typ: 'rookery+jwt', kid: 'old' })
  t.equal(first.maxAge, 900)
  keys.ring = [old, current, next]
  const second = tokens.sign(viewer, endsAt)
  t.same(headerOf(second.token), { alg: 'EdDSA', typ: 'rookery+jwt', kid: 'current' })
  const early = forge({ alg: 'EdDSA', kid: 'next' }, claims(), next)
  for (const token of [first.token, second.token]) t.same(tokens.read(token), viewer)
  t.ok(tokens.read(early), 'a server whose clock is ahead may sign with the next key already')
})

t.test('tokens with the shortest and the longest kid and generation have the form of ours', async (t) => {
  for (const kid of ['k', 'k'.repeat(64)])
    for (const key of [symmetricKey(kid), ed25519Key(kid)])
      for (const generation of [0, Number.MAX_SAFE_INTEGER]) {
        const { tokens } = await tokenServer(t, changeableKeys([key]))
        const { token } = tokens.sign({ ...viewer, generation }, endsAt)
        t.same(
          tokens.read(token),
          { ...viewer, generation },
          `${key.algorithm}, ${kid.length} characters, ${generation}`,
        )
      }
})

t.test('a removed key’s tokens are refused at once, even if they were accepted before', async (t) => {
  const [one, other] = [ed25519Key('one'), ed25519Key('other', secondsFromNow(-60))]
  const keys = changeableKeys([one])
  const { tokens, status } = await tokenServer(t, keys)
  const { token } = tokens.sign(viewer, endsAt)
  t.equal(await status(token), 200)
  keys.ring = [one, other]
  t.equal(await status(token), 200)
  keys.ring = [other]
  t.equal(tokens.read(token), undefined)
  t.equal(await status(token), 401)
  keys.ring = [{ ...other, kid: 'one' }]
  t.equal(await status(token), 401, 'another key with the same kid')
})

t.test('with public keys only, tokens are verified and signing fails', async (t) => {
  const key = ed25519Key('a')
  const { tokens, status } = await tokenServer(t, changeableKeys([publicKey(key)]))
  t.equal(await status(forge({ alg: 'EdDSA', kid: 'a' }, claims(), key)), 200)
  t.throws(() => tokens.sign(viewer, endsAt), { message: 'no key of the ring can sign now' })
})

t.test('a ring without a key stops the start', async (t) => {
  await t.rejects(tokenServer(t, changeableKeys([])), { name: 'StartError', message: 'JWT_SIGN_KEYS has no key.' })
})

t.test('a token is verified with the key of its kid and that key’s algorithm only', async (t) => {
  const [secret, other] = [symmetricKey('secret'), symmetricKey('other')]
  const [ed, edOther] = [ed25519Key('ed'), ed25519Key('ed-other')]
  const keys = changeableKeys([ed, secret, publicKey(edOther), other])
  const { status } = await tokenServer(t, keys)
  const payload = claims()
  t.equal(await status(forge({ alg: 'EdDSA', kid: 'ed' }, payload, ed)), 200)
  t.equal(await status(forge({ alg: 'HS256', kid: 'secret' }, payload, secret.secret)), 200)

  const pem = toPublicPem(ed.x)
  const jwk = JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x: ed.x })
  const publicForms = [pem, pem.trim(), ed.x, jwk, Buffer.from(ed.x, 'base64url')]
  const forged: [name: string, token: string][] = [
    ...publicForms.map((bytes, index): [string, string] => [
      `HS256 with the public key’s bytes, form ${index}`,
      forge({ alg: 'HS256', kid: 'ed' }, payload, bytes),
    ]),
    ['HS256 with the public key’s bytes, kid of a secret', forge({ alg: 'HS256', kid: 'secret' }, payload, pem)],
    ['EdDSA, header HS256', forge({ alg: 'HS256', kid: 'ed' }, payload, ed)],
    ['HS256, header EdDSA', forge({ alg: 'EdDSA', kid: 'secret' }, payload, secret.secret)],
    ['a secret under the kid of an Ed25519 key', forge({ alg: 'HS256', kid: 'ed' }, payload, secret.secret)],
    ['an Ed25519 key under the kid of a secret', forge({ alg: 'EdDSA', kid: 'secret' }, payload, ed)],
    ['the kid of another secret', forge({ alg: 'HS256', kid: 'other' }, payload, secret.secret)],
    ['the kid of another Ed25519 key', forge({ alg: 'EdDSA', kid: 'ed-other' }, payload, ed)],
    ['the algorithm by its new name (RFC 9864)', forge({ alg: 'Ed25519', kid: 'ed' }, payload, ed)],
    ['a foreign Ed25519 key', forge({ alg: 'EdDSA', kid: 'ed' }, payload, ed25519Key('ed'))],
    ['an embedded key', forge({ alg: 'EdDSA', kid: 'ed', jwk: { kty: 'OKP', crv: 'Ed25519', x: ed.x } }, payload, ed)],
    ['kid of the prototype', forge({ alg: 'HS256', kid: '__proto__' }, payload, secret.secret)],
    ['another audience', forge({ alg: 'EdDSA', kid: 'ed' }, { ...payload, aud: 'else' }, ed)],
    ['another type', forge({ alg: 'EdDSA', kid: 'ed', typ: 'JWT' }, payload, ed)],
    ['another claim', forge({ alg: 'EdDSA', kid: 'ed' }, { ...payload, nbf: 1 }, ed)],
  ]
  for (const kid of ['ed', 'secret']) {
    for (const alg of ['none', 'None', 'NONE', '', null]) {
      const [head, body, signature] = forge({ alg, kid }, payload, ed).split('.')
      for (const end of ['', '.', `.${signature}`]) forged.push([`alg ${alg}, kid ${kid}`, `${head}.${body}${end}`])
    }
  }
  for (const [name, token] of forged) t.equal(await status(token), 401, name)
})

t.test('a secret that looks like a PEM key still signs and verifies with HS256 only', async (t) => {
  const key = ed25519Key('a')
  const odd = { ...symmetricKey('odd'), secret: toPublicPem(key.x) }
  const { tokens, status } = await tokenServer(t, changeableKeys([odd]))
  t.equal(await status(tokens.sign(viewer, endsAt).token), 200)
  t.equal(await status(forge({ alg: 'EdDSA', kid: 'odd' }, claims(), key)), 401)
})
