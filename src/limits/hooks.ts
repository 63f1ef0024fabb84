import type {
  FastifyRequest,
  onRequestAsyncHookHandler,
  onSendAsyncHookHandler,
  preValidationAsyncHookHandler,
} from 'fastify'
import fp from 'fastify-plugin'
import { addressKey, networkKey } from '../http/client-address.ts'
import { isAnswered } from '../http/deadline.ts'
import { safeMethods } from '../http/origin.ts'
import { clientBuckets } from './client-buckets.ts'
import type { FixedWindow, Reservation } from './fixed-window.ts'
import { type Limit, limitWindowSeconds } from './headers.ts'
import { releaseSoon } from './release.ts'
import { tokenBuckets } from './token-bucket.ts'

/**
 * So many changes of a session in 15 minutes that `countsForSession` are none of a flood: other accounts behind the same
 * address, which use up its quota, do not stop them.
 */
const undisturbedQuota = 20

/** So many attempts for each sign-up that succeeds: others end in a fault, or say that a username is taken. */
const attemptsPerSignUp = 10

/** Limits by address and network: reserves before any costly work, and releases if nothing is created. */
export function limitHooks(fixedWindow: FixedWindow, perAddress: Limit, perNetwork: Limit) {
  const reservations = new WeakMap<object, Reservation & { consumed: boolean }>()
  const attempts = clientBuckets({
    name: `${perAddress.name}-attempts`,
    description: `attempted ${perAddress.description}`,
    perAddress: attemptsPerSignUp * perAddress.quota,
  })
  const counters = ({ client: { ip } }: FastifyRequest) =>
    [
      { limit: perAddress, subject: addressKey(ip) },
      { limit: perNetwork, subject: networkKey(ip) },
    ] as const
  const onRequest: onRequestAsyncHookHandler = async (request) => {
    attempts.check(request.client.ip)
    await fixedWindow.check(...counters(request))
  }
  // Once the body is there: a client that sends none must hold nothing.
  const preValidation: preValidationAsyncHookHandler = async (request, reply) => {
    attempts.consume(request.client.ip)
    const reservation = await fixedWindow.acquire(...counters(request))
    // No answer will release it.
    if (isAnswered(request, reply)) return releaseSoon(reservation.release, request.log)
    reservations.set(request, { ...reservation, consumed: false })
    reply.headers(reservation.headers)
  }
  // onResponse would miss clients that have hung up.
  const onSend: onSendAsyncHookHandler = async (request, reply) => {
    const reservation = reservations.get(request)
    if (reservation === undefined) return
    if (reply.statusCode === 201 || reply.statusCode >= 500) attempts.release(request.client.ip)
    if (reply.statusCode === 201) return
    if (reservation.consumed && reply.statusCode < 500) return
    reservations.delete(request)
    await releaseSoon(reservation.release, request.log)
  }
  /** Counts the request even if it creates nothing, because it has caused costly work. */
  const consume = (request: FastifyRequest) => {
    const reservation = reservations.get(request)
    if (reservation) reservation.consumed = true
  }
  return { onRequest, preValidation, onSend, consume }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * The change counts for its session, not for the account: by it an owner takes the account back, and a thief with another
     * session must not use up the owner’s quota.
     */
    countsForSession?: boolean
  }
}

type WriteOptions = {
  fixedWindow: FixedWindow
  limits: { writesPerAccount: number; writesPerAddress: number; writesPerNetwork: number }
  viewerOf: (request: FastifyRequest) => { account: string; session: string }
}

export const limitWrites = fp<WriteOptions>(async (scope, { fixedWindow, limits, viewerOf }) => {
  const changes = { description: 'changes', windowSeconds: limitWindowSeconds }
  const perAddress = { ...changes, name: 'writes-by-address', quota: limits.writesPerAddress }
  const perNetwork = { ...changes, name: 'writes-by-network', quota: limits.writesPerNetwork }
  const perAccount = { ...changes, name: 'writes', quota: limits.writesPerAccount }
  const undisturbed = tokenBuckets({ ...perAccount, quota: undisturbedQuota })
  scope.addHook('onRequest', async (request, reply) => {
    if (safeMethods.has(request.method)) return
    // The account first: one over its limit must not use up the quota of others behind the same address.
    const { account, session } = viewerOf(request)
    const { countsForSession } = request.routeOptions.config
    reply.headers(await fixedWindow.consume(perAccount, countsForSession ? session : account))
    if (countsForSession && !undisturbed.isEmpty(session)) {
      undisturbed.settle(session)
      return
    }
    await fixedWindow.consume(perAddress, addressKey(request.client.ip))
    await fixedWindow.consume(perNetwork, networkKey(request.client.ip))
  })
})
