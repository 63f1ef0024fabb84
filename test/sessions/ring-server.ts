import { createHmac, createPrivateKey, sign as signBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import cookie from '@fastify/cookie'
import Fastify from 'fastify'
import type { Test } from 'tap'
import { newId } from '../../src/database/ids.ts'
import type { Ed25519Key, KeyRing, LiveKeys } from '../../src/secrets/key-ring.ts'
import { accessTokens } from '../../src/sessions/access-token.ts'

export type Json = Record<string, unknown>

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The claims of a token that a server accepts. */
export function claims(): Json & { sub: string; sid: string } {
  const iat = Math.floor(Date.now() / 1_000)
  return { iss: 'rookery', aud: 'rookery', sub: newId(), sid: newId(), gen: 0, iat, exp: iat + 900 }
}

/** Signs with HMAC, or with Ed25519 for a private key; the header can claim anything. */
export function forge(header: Json, payload: Json, key: string | Buffer | Ed25519Key): string {
  const signed = `${encode({ typ: 'rookery+jwt', ...header })}.${encode(payload)}`
  if (typeof key === 'string' || Buffer.isBuffer(key))
    return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
  const { x, d = '' } = key
  const privateKey = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' })
  return `${signed}.${signBytes(null, Buffer.from(signed), privateKey).toString('base64url')}`
}

/** A ring that a test replaces: `onRefresh` is what reading the source again does. */
export function changeableKeys(ring: KeyRing) {
  const keys = {
    ring,
    refreshes: 0,
    onRefresh: async () => {},
    current: () => keys.ring,
    refresh: () => {
      keys.refreshes += 1
      return keys.onRefresh()
    },
  }
  return keys
}

/** A server without a database, whose only route answers 200 for a valid access token and 401 for any other. */
export async function tokenServer(t: Test, keys: LiveKeys) {
  const app = Fastify()
  await app.register(cookie)
  await app.register(accessTokens, { keys })
  app.get('/', async (request, reply) => {
    const viewer = await app.accessTokens.readOrRefresh(request.cookies.session ?? '')
    return reply.code(viewer === undefined ? 401 : 200).send()
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo // TCP always
  const status = async (token: string) =>
    (await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie: `session=${token}` } })).status
  return { tokens: app.accessTokens, status }
}
