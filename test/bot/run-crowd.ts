import type { RunContext } from '../../bot/client.ts'
import { type Conditions, type Findings, runCrowd } from '../../bot/crowd.ts'
import { History } from '../../bot/history/history.ts'
import type { CrowdSize } from '../../bot/plan.ts'
import { Stats } from '../../bot/stats.ts'

type Timing = { totalMs?: number; attemptTimeoutMs?: number; stopping?: AbortController }
type RunOptions = { seed?: number; conditions?: Conditions; onPhase?: (name: string) => void }

/** A run context with a short retry policy. */
export function createRunContext(
  url: string,
  { totalMs = 5_000, attemptTimeoutMs = 2_000, stopping = new AbortController() }: Timing = {},
) {
  const stats = new Stats()
  const context: RunContext = {
    base: new URL(url),
    retryPolicy: { attemptTimeoutMs, totalMs, initialDelayMs: 5, maxDelayMs: 50 },
    stats,
    history: new History(),
    stop: stopping.signal,
    onUnresponsive: () => stopping.abort(),
  }
  return { context, stats }
}

/** Runs a small crowd; `onPhase` is called when a phase begins. */
export async function runAgainst(
  url: string,
  {
    seed = 1,
    users = 3,
    posts = 2,
    reactions = 8,
    replies = 0,
    follows = 0,
    deletions = 0,
    onPhase = () => {},
    conditions = {},
    ...timing
  }: Partial<CrowdSize> & RunOptions & Timing = {},
): Promise<{ findings: Findings; stats: Stats }> {
  const { context, stats } = createRunContext(url, timing)
  const progress = {
    begin(name: string) {
      onPhase(name)
      return { step: () => {}, end: () => {} }
    },
  }
  return {
    findings: await runCrowd(
      seed,
      { users, posts, replies, follows, reactions, deletions },
      context,
      progress,
      undefined,
      conditions,
    ),
    stats,
  }
}
