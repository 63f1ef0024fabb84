import { Gauge, type Registry } from 'prom-client'

/** The driver aborts what it waits for at the first limit; the second one holds for every check. */
const abortAfterMs = 1_800
const answerWithinMs = 2_000
/** A run that began earlier might have asked before a fault. Bounds the runs at the same time to 8. */
const sharedForMs = 250

export type ReadinessCheck = {
  name: string
  /** What is wrong when the check fails, in general terms: the end of "The server is not ready: …". */
  fault: string
  code: 'overloaded' | 'database-unavailable'
  /**
   * What a failure says is at fault. That of the database takes no process out of service: it would take out all of them
   * at once. `either` stands for the process unless a check of the database fails too. Default: `process`.
   */
  blames?: 'process' | 'database' | 'either'
  /** Whether the process can serve as far as this check sees. A rejection, or no answer within 2 s, means it cannot. */
  isReady(signal: AbortSignal): boolean | Promise<boolean>
}

export type CheckResult = Pick<ReadinessCheck, 'name' | 'fault' | 'code' | 'blames'> & {
  isReady: boolean
  cause?: unknown
}

declare module 'fastify' {
  interface FastifyInstance {
    readiness: Readiness
  }
}

/** The results that decide whether this process is to get requests. */
export function ofProcess(results: readonly CheckResult[]): CheckResult[] {
  const isDatabaseAtFault = results.some(({ blames, isReady }) => blames === 'database' && !isReady)
  return results.filter(({ blames }) => blames !== 'database' && !(blames === 'either' && isDatabaseAtFault))
}

/** What must hold for this process to serve requests. Features add their own checks. */
export function readinessChecks() {
  const checks: ReadinessCheck[] = []
  let running: { begunAt: number; results: Promise<CheckResult[]> } | undefined
  let latest: readonly CheckResult[] = []

  async function run({ isReady, ...check }: ReadinessCheck, timeout: Promise<never>): Promise<CheckResult> {
    try {
      const result = async () => isReady(AbortSignal.timeout(abortAfterMs))
      return { ...check, isReady: await Promise.race([result(), timeout]) }
    } catch (cause) {
      return { ...check, isReady: false, cause }
    }
  }

  async function runAll(): Promise<CheckResult[]> {
    const timeout = Promise.withResolvers<never>()
    timeout.promise.catch(() => undefined)
    const timer = setTimeout(() => timeout.reject(new Error('no answer in time')), answerWithinMs)
    try {
      return await Promise.all(checks.map((check) => run(check, timeout.promise)))
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    add: (...added: readonly ReadinessCheck[]): void => void checks.push(...added),
    /** The results of the last run that has ended; none at first. */
    latest: (): readonly CheckResult[] => latest,
    /** Runs all checks, within 2 s. However often a client asks, a run in progress serves the callers of 250 ms. */
    run(): Promise<CheckResult[]> {
      const now = performance.now()
      if (running && now - running.begunAt < sharedForMs) return running.results
      const begun = { begunAt: now, results: runAll() }
      running = begun
      void begun.results.then((results) => {
        latest = results
        if (running === begun) running = undefined
      })
      return begun.results
    },
  }
}

export type Readiness = ReturnType<typeof readinessChecks>

/** Adds 1 for each check that holds and 0 for each that does not; of several processes, the least. */
export function measureReadiness(registry: Registry, readiness: Readiness): void {
  new Gauge({
    name: 'rookery_ready',
    help: 'Whether a readiness check holds (1) or not (0), by check; 0 if it fails in any process.',
    labelNames: ['check'],
    aggregator: 'min',
    registers: [registry],
    async collect() {
      for (const { name, isReady } of await readiness.run()) this.set({ check: name }, Number(isReady))
    },
  })
}
