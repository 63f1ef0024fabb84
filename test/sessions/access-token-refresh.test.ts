import t from 'tap'
import { eventually } from '../eventually.ts'
import { ed25519Key, secondsFromNow } from '../secrets/rings.ts'
import { changeableKeys, claims, forge, tokenServer } from './ring-server.ts'

const known = ed25519Key('known')
const added = ed25519Key('added', secondsFromNow(-1))
const header = { alg: 'EdDSA', kid: 'added' }

t.test('a token with a key that this server has not read yet is accepted after one refresh', async (t) => {
  const keys = changeableKeys([known])
  keys.onRefresh = async () => {
    keys.ring = [known, added]
  }
  const { tokens, status } = await tokenServer(t, keys)
  const token = forge(header, claims(), added)
  t.equal(tokens.read(token), undefined, 'a read alone does not wait')
  t.equal(await status(token), 200)
  t.equal(await status(token), 200)
  t.equal(keys.refreshes, 1)
})

t.test('tokens that no key could make valid never cause a refresh', async (t) => {
  const keys = changeableKeys([known])
  const { status } = await tokenServer(t, keys)
  const payload = claims()
  const now = Math.floor(Date.now() / 1_000)
  const signed = forge(header, payload, added)
  const malformed = ['', 'x', 'x.y.z', `${signed}.`, signed.slice(signed.indexOf('.'))]
  malformed.push(forge({ ...header, alg: 'none' }, payload, added))
  malformed.push(forge({ ...header, kid: 7 }, payload, added))
  malformed.push(forge({ ...header, kid: 'no kid of a ring' }, payload, added))
  malformed.push(forge({ ...header, jku: 'https://evil.example/jwks.json' }, payload, added))
  malformed.push(forge({ ...header, typ: 'JWT' }, payload, added))
  malformed.push(forge(header, { ...payload, aud: 'else' }, added))
  malformed.push(forge(header, { ...payload, iat: now - 1_000, exp: now - 100 }, added))
  malformed.push(forge(header, { ...payload, exp: now + 100_000 }, added))
  malformed.push(forge({ ...header, kid: 'known' }, payload, added))
  for (const token of malformed) t.equal(await status(token), 401, token.slice(0, 20))
  t.equal(keys.refreshes, 0)
})

t.test('200 tokens with unknown keys share one refresh and get 401; others do not wait for it', async (t) => {
  const keys = changeableKeys([known])
  let finish = () => {}
  keys.onRefresh = () => new Promise<void>((resolve) => (finish = resolve))
  const { tokens, status } = await tokenServer(t, keys)
  const { sub: account, sid: session } = claims()
  const flood = Array.from({ length: 200 }, (_, index) =>
    tokens.readOrRefresh(forge({ ...header, kid: `unknown-${index}` }, claims(), added)),
  )
  await eventually(() => keys.refreshes === 1)
  t.equal(await status(tokens.sign({ account, session, generation: 0 }, secondsFromNow(900)).token), 200)
  finish()
  t.same(new Set(await Promise.all(flood)), new Set([undefined]))
  t.equal(keys.refreshes, 1)
})

t.test('a refresh without an end is waited for once, for 3 s, and the token is refused', async (t) => {
  const keys = changeableKeys([known])
  keys.onRefresh = () => new Promise(() => {})
  const { tokens } = await tokenServer(t, keys)
  const start = performance.now()
  const unknown = ['one', 'two', 'three'].map((kid) => forge({ ...header, kid }, claims(), added))
  t.same(await Promise.all(unknown.map(tokens.readOrRefresh)), [undefined, undefined, undefined])
  t.ok(performance.now() - start >= 2_900)
  t.equal(keys.refreshes, 1)
})
