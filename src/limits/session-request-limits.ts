import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { clientBuckets } from './client-buckets.ts'
import { limitWindowSeconds } from './headers.ts'
import { mayAnswer429 } from './mark-routes.ts'
import { tokenBuckets } from './token-bucket.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route continues or ends the session of its cookies, and is limited as this. */
    limitedAs?: 'refresh' | 'logout'
  }
}

/** So many refreshes of an account in 15 minutes are none of a flood: one behind the same address does not stop them. */
const undisturbedQuota = 10

type Quotas = { readsPerAddress: number; refreshesPerAccount: number; writesPerAddress: number }

export function sessionRequestLimits({ readsPerAddress, refreshesPerAccount, writesPerAddress }: Quotas) {
  const refreshes = { name: 'refreshes', description: 'refreshes' }
  return {
    refreshes: tokenBuckets({ ...refreshes, quota: refreshesPerAccount, windowSeconds: limitWindowSeconds }),
    undisturbed: tokenBuckets({ ...refreshes, quota: undisturbedQuota, windowSeconds: limitWindowSeconds }),
    /** Of all accounts: each writes, so that those of 20 accounts on as many connections would slow all reads. */
    fromAddress: clientBuckets({ ...refreshes, perAddress: writesPerAddress }),
    /** Those without a live session. They cost what reads cost, but reads must not stop a neighbour's refresh. */
    strangers: clientBuckets({
      name: 'session-requests',
      description: 'refreshes and logouts without a live session',
      perAddress: readsPerAddress,
    }),
  }
}

export type SessionRequestLimits = ReturnType<typeof sessionRequestLimits>

type Options = {
  sessionRequestLimits: SessionRequestLimits
  claimedAccounts: (request: FastifyRequest) => string[]
  hasLiveSession: (request: FastifyRequest) => Promise<boolean>
}

/** A logout with a live session is not limited: it ends the session. */
export const limitSessionRequests = fp<Options>(async (scope, { sessionRequestLimits, ...options }) => {
  const { fromAddress, refreshes, strangers, undisturbed } = sessionRequestLimits
  const isRefresh = ({ routeOptions }: FastifyRequest) => routeOptions.config.limitedAs === 'refresh'
  scope.addHook('onRoute', (route) => {
    if (route.config?.limitedAs !== undefined) mayAnswer429(route)
  })
  scope.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.limitedAs === undefined) return
    if (isRefresh(request)) {
      const accounts = options.claimedAccounts(request)
      const [first] = accounts
      if (accounts.some(undisturbed.isEmpty)) fromAddress.check(request.client.ip)
      // Only looked at: a stranger who knows the account's id must not use up its quota. One account's must not stop another.
      if (first !== undefined && accounts.every(refreshes.isEmpty)) refreshes.check(first)
    } else if (await options.hasLiveSession(request)) return
    reply.headers(strangers.headersOf(strangers.consume(request.client.ip)))
  })
  scope.addHook('onSend', async (request, reply) => {
    if (!isRefresh(request) || reply.statusCode !== 200 || request.viewer === null) return
    strangers.release(request.client.ip)
    fromAddress.settle(request.client.ip)
    undisturbed.settle(request.viewer.account)
    reply.headers(refreshes.headersOf(refreshes.settle(request.viewer.account)))
  })
})
