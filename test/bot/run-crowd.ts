import type { RunContext } from '../../bot/client.ts'
import { type Findings, runCrowd } from '../../bot/crowd.ts'
import type { CrowdSize } from '../../bot/plan.ts'
import { Stats } from '../../bot/stats.ts'

type Temper = { total?: number; attempt?: number; stopping?: AbortController }
type Wishes = { seed?: number; onPhase?: (name: string) => void }

/** A context of little retryPolicy, in milliseconds. */
export function createRunContext(
  url: string,
  { total = 5_000, attempt = 2_000, stopping = new AbortController() }: Temper = {},
) {
  const stats = new Stats()
  const context: RunContext = {
    base: new URL(url),
    retryPolicy: { attempt, total, initialDelayMs: 5, maxDelayMs: 50 },
    stats,
    stop: stopping.signal,
    onUnresponsive: () => stopping.abort(),
  }
  return { context, stats }
}

/** Runs a small crowd; `onPhase` is told as each phase begins. */
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
    ...temper
  }: Partial<CrowdSize> & Wishes & Temper = {},
): Promise<{ findings: Findings; stats: Stats }> {
  const { context, stats } = createRunContext(url, temper)
  const progress = {
    begin(name: string) {
      onPhase(name)
      return { step: () => {}, end: () => {} }
    },
  }
  return {
    findings: await runCrowd(seed, { users, posts, replies, follows, reactions, deletions }, context, progress),
    stats,
  }
}
