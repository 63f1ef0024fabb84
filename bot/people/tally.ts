import type { CallResult } from '../client.ts'

/** More than a call makes before it gives up. */
const maxAttempts = 1_000

/** What the activity and the sessions of a robot's account must show, and what they may show. */
export class Tally {
  readonly events = new Map<string, { certain: number; possible: number }>()
  /** The ids of the sessions that are live. */
  readonly sessions = new Set<string>()
  /** A session may exist that no answer has named. */
  hasUnknownSessions = false

  /** Counts an event that the answer with this status says has happened; an attempt without an answer may have caused it. */
  count(event: string, { status, isUncertain }: Pick<CallResult, 'status' | 'isUncertain'>, success: number): void {
    const counted = this.events.get(event) ?? { certain: 0, possible: 0 }
    this.events.set(event, counted)
    if (status === success) counted.certain += 1
    if (isUncertain) counted.possible += maxAttempts
  }
}
