import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { safeMethods } from '../http/origin.ts'
import { clientBuckets } from './client-buckets.ts'
import { limitWindowSeconds } from './headers.ts'
import { mayAnswer429 } from './mark-routes.ts'
import { tokenBuckets } from './token-bucket.ts'

type Quotas = { readsPerAccount: number; readsPerAddress: number }

export function readLimits({ readsPerAccount, readsPerAddress }: Quotas) {
  const reads = { name: 'reads', description: 'reads' }
  const accounts = tokenBuckets({ ...reads, quota: readsPerAccount, windowSeconds: limitWindowSeconds })
  // Apart, so that a client without a session cannot use up what accounts behind the same address have.
  const withSession = clientBuckets({ ...reads, perAddress: readsPerAddress })
  const withoutSession = clientBuckets({ ...reads, perAddress: readsPerAddress })
  return {
    /** @throws Problem `rate-limited` */
    consume(ip: string, account: string | undefined): Record<string, string> {
      if (account === undefined) return withoutSession.headersOf(withoutSession.consume(ip))
      const bucket = accounts.consume(account)
      withSession.consume(ip)
      return accounts.headersOf(bucket)
    },
  }
}

export type ReadLimits = ReturnType<typeof readLimits>

type Options = { readLimits: ReadLimits; viewerOf?: (request: FastifyRequest) => string | undefined }

/** Limits the reads of a scope by account and address. */
export const limitReads = fp<Options>(async (scope, { readLimits, viewerOf = () => undefined }) => {
  scope.addHook('onRoute', mayAnswer429)
  scope.addHook('onRequest', async (request, reply) => {
    if (safeMethods.has(request.method)) reply.headers(readLimits.consume(request.client.ip, viewerOf(request)))
  })
})
