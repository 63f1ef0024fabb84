import cookie from '@fastify/cookie'
import Fastify from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import type { LiveKeys } from '../../src/secrets/key-ring.ts'
import { accessTokens } from '../../src/sessions/access-token.ts'
import { sessionCookies } from '../../src/sessions/cookies.ts'
import { jwks } from '../../src/sessions/jwks.ts'
import { testServer } from '../helper.ts'
import { ed25519Key, publicKey, secondsFromNow, symmetricKey } from '../secrets/rings.ts'
import { changeableKeys, claims } from './ring-server.ts'
import { setCookies } from './set-cookies.ts'

const path = '/.well-known/jwks.json'

/** A server that gives each client an access token in its cookie, and publishes its keys. */
async function keyServer(t: Test, keys: LiveKeys) {
  const app = Fastify()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  await app.register(cookie)
  await app.register(accessTokens, { keys })
  await app.register(jwks, { keys })
  const cookies = sessionCookies(false)
  const { sub: account, sid: session } = claims()
  app.get('/', async (_request, reply) => {
    const { token, maxAge } = app.accessTokens.sign({ account, session, generation: 0 }, secondsFromNow(86_400))
    cookies.setSession(reply, { access: token, refresh: '' }, { access: maxAge, refresh: 60 })
    return reply.send()
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const tokenFromCookie = async () => {
    const { headers } = await fetch(url)
    return setCookies({ 'set-cookie': headers.getSetCookie() }).session?.value ?? ''
  }
  return { url: `${url}${path}`, account, session, tokenFromCookie }
}

/** Verifies as another service does: it knows the URL, and what the contract says of a token. */
const verifierOf = (url: string) => {
  const keySet = createRemoteJWKSet(new URL(url), { cooldownDuration: 0 })
  const expected = { issuer: 'rookery', audience: 'rookery', typ: 'rookery+jwt', algorithms: ['EdDSA'] }
  return (token: string) => jwtVerify(token, keySet, expected)
}

t.test('jose verifies a cookie’s token from the URL of the key set alone, also after a rotation', async (t) => {
  const one = ed25519Key('one')
  const keys = changeableKeys([one])
  const { url, account, session, tokenFromCookie } = await keyServer(t, keys)
  const verify = verifierOf(url)
  const first = await tokenFromCookie()
  t.match(await verify(first), {
    payload: { sub: account, sid: session, gen: 0 },
    protectedHeader: { alg: 'EdDSA', typ: 'rookery+jwt', kid: 'one' },
  })
  const other = ed25519Key('other', secondsFromNow(-1))
  keys.ring = [one, other]
  const second = await tokenFromCookie()
  t.match(await verify(second), { payload: { sub: account }, protectedHeader: { kid: 'other' } })
  t.match(await verify(first), { protectedHeader: { kid: 'one' } }, 'tokens of the key before are still valid')
  keys.ring = [other]
  await t.rejects(verifierOf(url)(first), errors.JWKSNoMatchingKey, 'a removed key is not in the set')
})

t.test('the set has the public part of each Ed25519 key, those that sign later included, and no secret', async (t) => {
  const [current, next] = [ed25519Key('current'), ed25519Key('next', secondsFromNow(600))]
  const keys = changeableKeys([symmetricKey('secret'), current, publicKey(ed25519Key('verifies')), next])
  const response = await fetch((await keyServer(t, keys)).url)
  t.match(response.headers.get('content-type'), /^application\/jwk-set\+json(;|$)/)
  const { keys: set } = (await response.json()) as { keys: Record<string, string>[] } // asserted below
  t.same(
    set.map(({ kid }) => kid),
    ['current', 'verifies', 'next'],
  )
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: current.x, kid: 'current', use: 'sig', alg: 'EdDSA' }
  t.same(set[0], jwk, 'nothing but the public members')
})

t.test('the set may be cached for 300 s, and If-None-Match gets 304 until it changes', async (t) => {
  const keys = changeableKeys([ed25519Key('one')])
  const { url } = await keyServer(t, keys)
  const ask = (ifNoneMatch: string) => fetch(url, { headers: { 'if-none-match': ifNoneMatch }, cache: 'no-store' })
  const { headers } = await fetch(url)
  const entityTag = headers.get('etag') ?? ''
  t.match(entityTag, /^"[\w-]+"$/)
  t.equal(headers.get('cache-control'), 'public, max-age=300')
  for (const condition of [entityTag, `W/${entityTag}`, `"x", ${entityTag}`, '*']) {
    const answer = await ask(condition)
    t.equal(answer.status, 304, condition)
    t.equal(answer.headers.get('etag'), entityTag)
    t.equal(answer.headers.get('cache-control'), 'public, max-age=300')
    t.equal(await answer.text(), '')
  }
  t.equal((await ask('"x"')).status, 200)
  keys.ring = [...keys.ring, ed25519Key('two')]
  const changed = await ask(entityTag)
  t.equal(changed.status, 200)
  t.not(changed.headers.get('etag'), entityTag)
})

t.test('with a symmetric key the set is empty', async (t) => {
  const { url } = await testServer(t)
  const response = await fetch(`${url}${path}`)
  t.match(response.headers.get('content-type'), /^application\/jwk-set\+json/)
  t.same(await response.json(), { keys: [] })
})
