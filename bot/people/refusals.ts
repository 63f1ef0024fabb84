import { setTimeout as sleep } from 'node:timers/promises'
import type { Call, Client } from '../client.ts'
import { isRetryable } from '../retry-policy.ts'
import type { Robot } from './robot.ts'

/** Within this time of its end, a session may still be accepted by another process. */
const revocationMs = 1_000
const probeIntervalMs = 250

export const ownAccount = { action: 'must be refused', method: 'GET', path: '/v1/account' } as const
export const refreshSession = { action: 'must be refused', method: 'POST', path: '/v1/session/refresh' } as const

/**
 * Sends a call that must be refused with one of `statuses`: if `endedAt` says when its session ended, one second later at
 * the latest. The refusal is a success in the stats. Resolves to whether it was refused.
 */
export async function mustBeRefused(
  robot: Robot,
  client: Client,
  { what, call, statuses, endedAt }: { what: string; call: Call; statuses: readonly number[]; endedAt?: number },
): Promise<boolean> {
  const object = `${what} of ${robot.username}`
  const expected = statuses.join(' or ')
  for (;;) {
    let outcome: 'refused' | 'accepted' | 'accepted early' = 'refused'
    const result = await client.send({
      ...call,
      observe: ({ status, sentAt }) => {
        // Neither refused nor accepted, and perhaps sent again.
        if (status >= 500 || isRetryable(status)) return []
        const holds = statuses.includes(status)
        const isEarly = endedAt !== undefined && sentAt <= endedAt + revocationMs
        if (!holds) outcome = isEarly ? 'accepted early' : 'accepted'
        return holds || !isEarly ? [{ claim: 'N', object, expected, seen: String(status), holds }] : []
      },
    })
    // Without an answer nothing is known: a limit on failed log-ins, say, has been reached.
    if (result.status === null) return false
    // The assignment in the callback is invisible to the compiler's narrowing.
    if ((outcome as string) === 'accepted early') {
      await sleep(probeIntervalMs)
      continue
    }
    robot.session.record(call, result, statuses.includes(result.status))
    return statuses.includes(result.status)
  }
}

/** The server counts failed log-ins by address: only the first robots of a large crowd add to them. */
const maxFailedLogIns = 50
/** A failed log-in that takes the server longer to record is answered before. */
const recordedWithinMs = 500

export async function refusePassword(robot: Robot, what: string, password: string): Promise<void> {
  const { context, identity, tally, username } = robot
  if (identity.index >= maxFailedLogIns) return
  const call: Call = { action: 'must be refused', method: 'POST', path: '/v1/session', body: { username, password } }
  const client = context.openClient(identity.index)
  const isRecorded = await context.authSlots.run(async () => {
    const startedAt = performance.now()
    const isRefused = await mustBeRefused(robot, client, { what, call, statuses: [401] })
    return isRefused && performance.now() - startedAt < recordedWithinMs
  })
  tally.count('login-failed', { status: isRecorded ? 401 : null, isUncertain: true }, 401)
}
