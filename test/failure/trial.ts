import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Report } from '../../bot/report/schema.ts'
import { type LocalServer, spawnProgram } from '../../bot/spawn-server.ts'
import { eventually } from '../eventually.ts'
import { startCrowd } from './crowd.ts'
import type { Fault, FaultName } from './faults.ts'
import { type Attempt, isSuccess, type Probes, startProbes } from './probes.ts'
import type { Site } from './sites.ts'

/** The servers have recovered when no request of the probes has failed for so long. */
const steadyMs = 3_000
/** When to give up: the longest span of 503 is 30 s on a quiet machine. */
const recoveryMs = 120_000
/**
 * MongoDB's timeouts are by the clock: 10 s until an election, and up to 30 s until a secondary gives up its report to a
 * frozen primary, without which the new one commits nothing. What comes after them, such as a mongod's start, takes as long
 * as the machine's load makes it: of 12 s, 15.9 s were seen on two cores under a load of 17.
 */
const patience = 2.5

export type Result = {
  name: FaultName
  limit: Fault['limit']
  /** Until the last 503, from where the limit counts. */
  spanMs: number
  refused: number
  requests: number
  longestMs: number
  /** Why it failed; empty: it passed. */
  reasons: string[]
}

/** Makes a fault happen under the robots and the probes, and judges what they saw. */
export async function runTrial(site: Site, fault: Fault, folder: string, stop: AbortSignal): Promise<Result> {
  await eventually(async () => (await Promise.all(site.servers.map(isReady))).every(Boolean), { withinMs: recoveryMs })
  const crowd = await startCrowd(site.url, folder, fault.name)
  try {
    const seen = await withProbes(site, (probes) => undergo(site, fault, probes, stop))
    const report = await crowd.end()
    const exitCode = await reconcile(site, join(folder, `${fault.name}.reconcile.log`))
    return judge(site, fault, seen, [
      ...crowdFaults(report, fault.limit),
      ...(exitCode === 0 ? [] : [`reconcile exited with ${exitCode}`]),
    ])
  } finally {
    await crowd.kill()
  }
}

type Seen = { attempts: readonly Attempt[]; beganMs: number; endedMs: number }

async function withProbes<T>({ servers }: Site, use: (probes: Probes) => Promise<T>): Promise<T> {
  const probes = await startProbes(servers.map(({ url }) => url))
  try {
    return await use(probes)
  } finally {
    await probes.stop()
  }
}

/** From steady success to steady success, with the fault between them. */
async function undergo(site: Site, fault: Fault, probes: Probes, stop: AbortSignal): Promise<Seen> {
  const recoveredSince = async (sinceMs: number) => {
    const isSteady = () => stop.aborted || probes.steadyMs(sinceMs) > steadyMs
    await eventually(isSteady, { withinMs: recoveryMs, everyMs: 50 }).catch(() => {
      throw new Error(`the servers have not recovered within ${recoveryMs / 1_000} s`)
    })
    stop.throwIfAborted()
  }
  await recoveredSince(performance.now())
  const beganMs = performance.now()
  const { lastsMs, end } = await fault.begin(site)
  let endedMs = beganMs
  try {
    if (lastsMs === 'until recovered') await recoveredSince(beganMs)
    else await delay(lastsMs, undefined, { signal: stop })
  } finally {
    endedMs = performance.now()
    await end()
  }
  await recoveredSince(performance.now())
  return { attempts: probes.attempts, beganMs, endedMs }
}

function judge(site: Site, fault: Fault, { attempts, beganMs, endedMs }: Seen, reasons: readonly string[]): Result {
  const { name, limit } = fault
  const refused = attempts.filter(({ status }) => status === 503)
  const fromMs = {
    beginning: beganMs,
    'first 503': Math.min(...refused.map(({ sentMs }) => sentMs)),
    end: endedMs,
  }[limit.from]
  const spanMs = Math.max(0, ...refused.map(({ answeredMs }) => answeredMs - fromMs))
  return {
    ...{ name, limit, spanMs, refused: refused.length, requests: attempts.length },
    longestMs: Math.max(...attempts.map(({ sentMs, answeredMs }) => answeredMs - sentMs)),
    reasons: [
      ...spanFaults(spanMs, refused.length, limit),
      ...probeFaults(attempts, site, fault),
      ...reasons,
      ...(site.running() === site.servers.length ? [] : ['a server has exited']),
    ],
  }
}

const isReady = async ({ url }: LocalServer) => (await fetch(`${url}/health/ready`).catch(() => undefined))?.ok === true

function spanFaults(spanMs: number, refused: number, { seconds, from }: Fault['limit']): string[] {
  if (seconds === 0) return refused === 0 ? [] : [`${refused} requests got 503`]
  const span = `503 until ${(spanMs / 1_000).toFixed(1)} s after the ${from} of the fault`
  return spanMs <= seconds * 1_000 * patience ? [] : [span]
}

/** What no fault explains: another status, no answer, or a failure at a server that the fault does not hit. */
function probeFaults(attempts: readonly Attempt[], { servers }: Site, { hits }: Fault): string[] {
  const isHit = (server: string) => hits === undefined || hits.some((number) => servers[number]?.url === server)
  const unexpected = attempts.filter(
    (attempt) => !isSuccess(attempt) && !(attempt.status === 503 && isHit(attempt.server)),
  )
  const counts = Object.entries(Object.groupBy(unexpected, ({ kind, status }) => `${kind}: ${status}`))
  return counts.map(([what, of = []]) => `the probes' ${what}, ${of.length} times`)
}

/**
 * One robot comes back with an expired access token, which it refreshes: the contract's 401. Robots delete posts and accounts
 * that others read: the ledger judges each 404.
 */
function crowdFaults({ check, errors, unexpected }: Report, { seconds }: Fault['limit']): string[] {
  const isExplained = (cause: string) =>
    ['401 unauthenticated', '404 not-found'].includes(cause) ||
    (seconds > 0 && /^503 (database-unavailable|outcome-unknown|overloaded)/.test(cause))
  const causes = [...errors.filter(({ cause }) => !isExplained(cause)), ...unexpected]
  return [
    ...(check.verdict === 'agrees' ? [] : [check.summary, ...check.findings.map(({ text }) => text)]),
    ...causes.map(({ action, cause, count }) => `the robots' ${action}: ${cause}, ${count} times`),
  ]
}

/** Recounts as an operator does. Resolves to the exit code: 0 without drift. */
async function reconcile({ servers: [server] }: Site, log: string): Promise<number | null> {
  const file = await open(log, 'w')
  try {
    return await spawnProgram(file.fd, ['run.mjs', 'src/cli/reconcile.ts'], server?.settings ?? {}).ended
  } finally {
    await file.close()
  }
}
