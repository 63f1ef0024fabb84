import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { entityTagOf, matchesEntityTag } from '../http/entity-tag.ts'
import { NoContent } from '../http/responses.ts'
import { publicJwk } from '../secrets/ed25519.ts'
import type { KeyRing, LiveKeys } from '../secrets/key-ring.ts'

const mediaType = 'application/jwk-set+json'

const KeySet = z.object({
  keys: z.array(
    z.object({
      kty: z.literal('OKP'),
      crv: z.literal('Ed25519'),
      x: z.string(),
      kid: z.string(),
      use: z.literal('sig'),
      alg: z.literal('EdDSA'),
    }),
  ),
})

/**
 * Public keys as a JWK set (RFC 7517, 5). Those whose `signFrom` has not passed are in it, so that verifiers know them in
 * time; a symmetric key must not be disclosed (RFC 7517, 9.2).
 */
function keySetOf(ring: KeyRing): z.infer<typeof KeySet> {
  const ed25519Keys = ring.filter((key) => key.algorithm === 'EdDSA')
  return { keys: ed25519Keys.map((key) => ({ ...publicJwk(key), kid: key.kid, use: 'sig', alg: key.algorithm })) }
}

export const jwks: FastifyPluginAsyncZod<{ keys: LiveKeys }> = async (app, { keys }) => {
  app.get(
    '/.well-known/jwks.json',
    {
      schema: {
        operationId: 'listPublicKeys',
        summary: 'List the public keys for access tokens',
        tags: ['operations'],
        response: { 200: KeySet, 304: NoContent },
      },
      config: { mediaType, responseHeaders: ['etag'] },
    },
    async (request, reply) => {
      const keySet = keySetOf(keys.current())
      const entityTag = entityTagOf(JSON.stringify(keySet))
      reply.headers({ 'cache-control': 'public, max-age=300', etag: entityTag })
      if (matchesEntityTag(request.headers['if-none-match'], entityTag)) return reply.code(304).send()
      return reply.type(mediaType).send(keySet)
    },
  )
}
