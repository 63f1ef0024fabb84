import { HTTPError, RequestError } from 'got'
import type { Identity } from '../content.ts'
import { counted } from '../report/format.ts'
import type { Report } from '../report/schema.ts'
import { type ArrivalPlan, runArrivals } from './arrivals.ts'
import { openHttpLoad } from './http-load.ts'
import type { Measurements } from './measurements.ts'
import { checkPosts, prepareTargets } from './only-targets.ts'

export type OnlyRun = {
  only: string
  base: URL
  ca: string | undefined
  seed: number
  createIdentity: (index: number) => Identity
  plan: ArrivalPlan
  measurements: Measurements
  stop: AbortSignal
}

/**
 * Sends one action at a fixed rate in an open model, each answer checked for what it must contain; then reads all posts
 * again. Resolves to the verdict.
 */
export async function runOnly(run: OnlyRun): Promise<Report['check']> {
  const { only, base, ca, measurements, plan, stop } = run
  const action = only.replaceAll('-', ' ')
  try {
    const prepared = await prepareTargets(only, base, ca, run.createIdentity, run.seed)
    const load = openHttpLoad(base, ca, measurements)
    const findings = new Set<string>()
    const inFlight = new Set<Promise<unknown>>()
    const rampEnd = performance.now() + plan.rampMs
    let isMeasured = false
    await runArrivals(
      plan,
      (intended, index) => {
        if (!isMeasured && intended >= rampEnd) measurements.start(intended)
        isMeasured ||= intended >= rampEnd
        const target = prepared.targets[index % prepared.targets.length]
        if (!target) return
        measurements.arrived(intended, performance.now())
        const sent = load.send(action, target, intended).then((finding) => {
          inFlight.delete(sent)
          if (finding !== null) findings.add(finding)
        })
        inFlight.add(sent)
      },
      stop,
    )
    measurements.stop()
    await Promise.race([Promise.all(inFlight), aborted(stop)])
    await load.close()
    for (const finding of await checkPosts(base, ca, prepared.posts)) findings.add(finding)
    await prepared.logOut()
    return checkOf([...findings], prepared.posts.size)
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    const cause = error instanceof HTTPError ? String(error.response.statusCode) : error.code
    return {
      ...checkOf([], 0),
      verdict: 'nothing can be said',
      summary: `ledger check incomplete: ${error.options.url}: ${cause}`,
    }
  }
}

function checkOf(findings: string[], posts: number): Report['check'] {
  const texts = `the texts of ${counted(posts, 'post')}`
  const isRight = findings.length === 0
  return {
    verdict: isRight ? 'agrees' : 'disagrees',
    summary: isRight
      ? `ledger agrees: every answer held what it must, and ${texts} are there`
      : `ledger disagrees: ${findings[0]}`,
    ...{ notes: [], acknowledged: { posts }, checked: posts, foreign: 0, indeterminate: { pinned: 0, open: 0 } },
    findings: findings.map((text) => ({
      ...{ rule: 'R', object: 'post', expected: 'what was written', seen: 'another answer', requestIds: [] },
      ...{ times: { sent: 0, answered: 0 }, text },
    })),
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
