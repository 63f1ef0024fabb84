import type { Observation, Write } from './history/operation.ts'

/** An answer as a call's `observe` sees it. `isSessionInvalid`: the request had no session, or none that is valid. */
export type Answer = { status: number; body: unknown; isSessionInvalid: boolean; sentAt: number }

/**
 * `action` is the call's row in the stats, `key` its Idempotency-Key. The history gets `writes` with each attempt, and
 * what `observe` makes of each answer. `intended` is when the call should have begun.
 */
export type Call = {
  action: string
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  body?: object
  key?: string
  writes?: readonly Write[]
  observe?: (answer: Answer) => Observation[]
  intended?: number | undefined
}

/**
 * `status` is null when the client gave up, for the reason in `cause`. `isUncertain`: an earlier attempt, or this one, may
 * have been applied, or may still be.
 */
export type CallResult = {
  status: number | null
  cause: string
  body: unknown
  isUncertain: boolean
  isSessionInvalid: boolean
  interrupted: boolean
}
