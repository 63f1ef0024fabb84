import type { FastifyBaseLogger } from 'fastify'
import type { Db } from 'mongodb'
import type { ReadinessCheck } from './readiness.ts'

/** The times of ids, sessions and revocations mix both clocks: more than this would be visible, or end sessions early. */
const maxOffsetMs = 5_000
const measureEveryMs = 30_000
const measureTimeoutMs = 2_000

export type ClockResult = { outcome: 'right' } | { outcome: 'wrong'; offsetMs: number }

export type Clocks = { now: () => number; monotonic: () => number }

const systemClocks: Clocks = { now: () => Date.now(), monotonic: () => performance.now() }

/** The time of the server that answers: the primary, or a mongos. */
export const readTimeOf =
  (db: Db) =>
  async (signal: AbortSignal): Promise<Date> =>
    (await db.command({ hello: 1 }, { signal })).localTime

/** Holds the database's time against the monotonic clock: a step of our own clock shows without another query. */
export function clockCheck(
  readTime: (signal: AbortSignal) => Promise<Date>,
  log: FastifyBaseLogger,
  { now, monotonic }: Clocks = systemClocks,
) {
  let measured: { at: number; time: number; errorMs: number } | undefined
  let measuring: Promise<void> | undefined
  let isWrong = false
  let timer: NodeJS.Timeout | undefined

  async function measure(): Promise<void> {
    const sentAt = monotonic()
    const time = await readTime(AbortSignal.timeout(measureTimeoutMs))
    const errorMs = (monotonic() - sentAt) / 2
    measured = { at: sentAt + errorMs, time: time.getTime(), errorMs }
  }

  function compare(): ClockResult {
    if (!measured) return { outcome: 'right' }
    const offsetMs = Math.round(now() - (measured.time + monotonic() - measured.at))
    const result: ClockResult =
      Math.abs(offsetMs) - measured.errorMs > maxOffsetMs ? { outcome: 'wrong', offsetMs } : { outcome: 'right' }
    if (result.outcome === 'wrong' && !isWrong) {
      log.warn({ offsetMs }, 'the clock differs from the database’s: run NTP on this machine and on the database’s')
    }
    if (result.outcome === 'right' && isWrong) log.info({ offsetMs }, 'the clock agrees with the database’s again')
    isWrong = result.outcome === 'wrong'
    return result
  }

  async function check(): Promise<ClockResult> {
    if (!measured || monotonic() - measured.at >= measureEveryMs) {
      measuring ??= measure()
        .catch(() => undefined)
        .finally(() => {
          measuring = undefined
        })
      await measuring
    }
    return compare()
  }

  return {
    /** Measures if the last measurement is 30 s old. @returns `offsetMs` above 0 when this machine's clock is ahead */
    check,

    /** From now on the check runs every 30 s, so that its warning does not depend on readiness being asked for. */
    start(): void {
      void check()
      timer = setInterval(check, measureEveryMs).unref()
    },

    close(): void {
      clearInterval(timer)
    },
  }
}

export type ClockCheck = ReturnType<typeof clockCheck>

export const clockReadiness = ({ check }: Pick<ClockCheck, 'check'>): ReadinessCheck => ({
  name: 'clock',
  fault: 'the clock of this server differs from the database’s by more than 5 seconds',
  code: 'overloaded',
  isReady: async () => (await check()).outcome === 'right',
})
