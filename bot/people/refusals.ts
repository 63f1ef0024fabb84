import { setTimeout as sleep } from 'node:timers/promises'
import * as schemas from '../api-schemas.ts'
import type { Call, Client } from '../client.ts'
import { isRetryable } from '../retry-policy.ts'
import type { Robot } from './robot.ts'
import type { Session } from './session.ts'

/** Within this time of its end, a session may still be accepted by another process. */
const revocationMs = 1_000
const probeIntervalMs = 250

export const ownAccount = { action: 'must be refused', method: 'GET', path: '/v1/account' } as const
export const refreshSession = { action: 'must be refused', method: 'POST', path: '/v1/session/refresh' } as const

/** `code` is that of the problem with which the server has to refuse it, if another would tell too much. */
type Refusal = { what: string; call: Call; statuses: readonly number[]; code?: string; endedAt?: number }

/**
 * Sends a call that must be refused with one of `statuses`: if `endedAt` says when its session ended, one second later at
 * the latest. Where 401 is none of them, the first one says that the robot's session has expired: it is renewed, and the
 * call sent again. The refusal is a success in the stats. Resolves to it, such as '401 unauthenticated', or to null.
 */
export async function mustBeRefused(
  robot: Robot,
  client: Client,
  { what, call, statuses, code, endedAt }: Refusal,
): Promise<string | null> {
  const object = `${what} of ${robot.username}`
  const suffix = code === undefined ? '' : ` ${code}`
  const expected = `${statuses.join(' or ')}${suffix}`
  let mayHaveExpired = !statuses.includes(401)
  for (;;) {
    let outcome: 'refused' | 'accepted' | 'accepted early' = 'refused'
    const result = await client.send({
      ...call,
      observe: ({ status, body, sentAt }) => {
        // Neither refused nor accepted, and perhaps sent again.
        if (status >= 500 || isRetryable(status) || (status === 401 && mayHaveExpired)) return []
        const seenCode = code === undefined ? undefined : schemas.problem.safeParse(body).data?.code
        const seen = seenCode === undefined ? String(status) : `${status} ${seenCode}`
        const holds = statuses.includes(status) && seenCode === code
        const isEarly = endedAt !== undefined && sentAt <= endedAt + revocationMs
        if (!holds) outcome = isEarly ? 'accepted early' : 'accepted'
        return holds || !isEarly ? [{ claim: 'N', object, expected, seen, holds }] : []
      },
    })
    // Without an answer nothing is known: a limit on failed log-ins, say, has been reached.
    if (result.status === null) return null
    if (result.status === 401 && mayHaveExpired) {
      mayHaveExpired = false
      if ((await robot.session.refresh()).status !== 200) return null
      continue
    }
    // The assignment in the callback is invisible to the compiler's narrowing.
    if ((outcome as string) === 'accepted early') {
      await sleep(probeIntervalMs)
      continue
    }
    const isRefused = statuses.includes(result.status)
    robot.session.record(call, result, isRefused)
    return isRefused ? result.cause : null
  }
}

/** The server counts failed log-ins by address: only the first robots of a large crowd add to them. */
const maxFailedLogIns = 50
/** A failure that takes the server longer to record is answered before. */
const recordedWithinMs = 500

export async function refusePassword(robot: Robot, what: string, password: string): Promise<void> {
  const { context, identity, tally, username } = robot
  if (identity.index >= maxFailedLogIns) return
  const call: Call = { action: 'must be refused', method: 'POST', path: '/v1/session', body: { username, password } }
  const client = context.openClient(identity.index)
  const isRecorded = await context.authSlots.run(async () => {
    const startedAt = performance.now()
    const code = 'invalid-credentials'
    const refusal = await mustBeRefused(robot, client, { what, call, statuses: [401], code })
    return refusal !== null && performance.now() - startedAt < recordedWithinMs
  })
  tally.count('login-failed', { status: isRecorded ? 401 : null, isUncertain: true }, 401)
}

/** Gives, as the second step of a login, what is no valid factor. */
export async function refuseFactor(robot: Robot, { client }: Session, what: string, body: object): Promise<void> {
  const call: Call = { action: 'must be refused', method: 'POST', path: '/v1/session/second-factor', body }
  const startedAt = performance.now()
  const refusal = await mustBeRefused(robot, client, { what, call, statuses: [401] })
  // Another refusal is that of the first step, which may have expired.
  const isRecorded = refusal === '401 invalid-credentials' && performance.now() - startedAt < recordedWithinMs
  robot.tally.count('second-factor-failed', { status: isRecorded ? 401 : null, isUncertain: true }, 401)
}
