/** What a load generator reports of one run. Times are milliseconds. */
export type Round = {
  p50: number
  p99: number
  perSecond: number
  /** CPU time for each request, in microseconds; null if the program does not tell. */
  cpuMicros: number | null
  /** Why the figures are invalid, in the generator's own words. */
  invalid: string[]
}

export type Job = { url: URL; rate: number; seconds: number }

export type Generator = { name: string; run(job: Job): Promise<Round> }
