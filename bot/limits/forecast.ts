import { grouped } from '../report/format.ts'
import type { PlannedLoad } from './planned-load.ts'

/** A limit as `RateLimit-Policy` and `RateLimit` describe it. */
export type Limit = { name: string; quota: number; windowSeconds: number; remaining: number; resetSeconds: number }

type Headers = { [name: string]: string | string[] | undefined }
type Named = { what: string; planned: (load: PlannedLoad) => number; variable: string; of: string }

const limits: Record<string, Named> = {
  signups: {
    what: 'Sign-ups',
    planned: ({ signUps }) => signUps,
    variable: 'LIMIT_SIGNUPS_PER_ADDRESS',
    of: 'an address',
  },
  writes: {
    what: 'Changes by one robot',
    planned: ({ changes }) => changes.ofAccount,
    variable: 'LIMIT_WRITES_PER_ACCOUNT',
    of: 'an account',
  },
  reads: {
    what: 'Reads by one robot',
    planned: ({ reads }) => reads.ofAccount,
    variable: 'LIMIT_READS_PER_ACCOUNT',
    of: 'an account',
  },
}

const policy = /^"([\w-]+)";q=(\d+);w=(\d+)$/
const state = /^"([\w-]+)";r=(\d+);t=(\d+)$/

/** Reads the limit that an answer describes, or null. */
export function limitOf(headers: Headers): Limit | null {
  const [, name, quota, windowSeconds] = policy.exec(String(headers['ratelimit-policy'])) ?? []
  const [, same, remaining, resetSeconds] = state.exec(String(headers.ratelimit)) ?? []
  if (name === undefined || name !== same) return null
  return {
    ...{ name, quota: Number(quota), windowSeconds: Number(windowSeconds) },
    ...{ remaining: Number(remaining), resetSeconds: Number(resetSeconds) },
  }
}

/** Says, in sentences, whether the planned load will hit a limit, what to set, and how long it would take otherwise. */
export function forecast(load: PlannedLoad, limit: Limit): string[] {
  const known = Object.hasOwn(limits, limit.name) ? limits[limit.name] : undefined
  if (!known) return []
  const planned = known.planned(load)
  const { quota, windowSeconds, remaining, resetSeconds } = limit
  const sentences: string[] = []
  // The answer that describes the limit has used one of it itself.
  const missing = planned - remaining - 1
  if (missing > 0) {
    const windows = Math.ceil(missing / quota)
    const minutes = Math.ceil((resetSeconds + (windows - 1) * windowSeconds) / 60)
    sentences.push(
      `${known.what}: ${grouped(planned)} are planned, and the server allows ${known.of} ${grouped(quota)} in ${windowSeconds / 60} minutes, of which ${grouped(remaining)} are left. Set ${known.variable} to ${planned} or more; otherwise the last have to wait ${grouped(minutes)} minutes.`,
    )
  }
  if (limit.name === 'writes' && load.changes.ofAll > quota)
    sentences.push(
      `From this address, ${grouped(load.changes.ofAll)} changes and ${grouped(load.logins)} logins are planned. The server tells its limits for these only when it refuses: LIMIT_WRITES_PER_ADDRESS and LIMIT_LOGINS_PER_ADDRESS, and the same of the network, must allow them.`,
    )
  return sentences
}
