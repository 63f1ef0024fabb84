import { Gauge, type Registry } from 'prom-client'

/** The driver aborts what it waits for at the first limit; the second one holds for every check. */
const abortAfterMs = 1_800
const answerWithinMs = 2_000
/** Bounds the runs at the same time, and how old a result is beyond the time that its checks took. */
const sharedForMs = 250

export type ReadinessCheck = {
  name: string
  /** What is wrong when the check fails, in general terms: the end of "The server is not ready: …". */
  fault: string
  code: 'overloaded' | 'database-unavailable'
  /** Whether the process can serve as far as this check sees. A rejection, or no answer within 2 s, means it cannot. */
  isReady(signal: AbortSignal): boolean | Promise<boolean>
}

export type CheckResult = Pick<ReadinessCheck, 'name' | 'fault' | 'code'> & { isReady: boolean; cause?: unknown }

declare module 'fastify' {
  interface FastifyInstance {
    readiness: Readiness
  }
}

/** What must hold for this process to serve requests. Features add their own checks. */
export function readinessChecks() {
  const checks: ReadinessCheck[] = []
  let latest: { begunAt: number; results: Promise<CheckResult[]> } | undefined

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
    /** Runs all checks, within 2 s. Callers within 250 ms share a run, however often a client asks. */
    run(): Promise<CheckResult[]> {
      const now = performance.now()
      if (!latest || now - latest.begunAt > sharedForMs) latest = { begunAt: now, results: runAll() }
      return latest.results
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
