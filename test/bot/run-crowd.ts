import type { World } from '../../bot/client.ts'
import { type Findings, runCrowd } from '../../bot/crowd.ts'
import type { Size } from '../../bot/plan.ts'
import { Tally } from '../../bot/stats.ts'

type Temper = { total?: number; attempt?: number; stopping?: AbortController }
type Wishes = { seed?: number; onPhase?: (name: string) => void }

/** A world of little patience, in milliseconds. */
export function makeWorld(
  url: string,
  { total = 5_000, attempt = 2_000, stopping = new AbortController() }: Temper = {},
) {
  const tally = new Tally()
  const world: World = {
    base: new URL(url),
    patience: { attempt, total, firstPause: 5, longestPause: 50 },
    tally,
    stop: stopping.signal,
    onSilence: () => stopping.abort(),
  }
  return { world, tally }
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
  }: Partial<Size> & Wishes & Temper = {},
): Promise<{ findings: Findings; tally: Tally }> {
  const { world, tally } = makeWorld(url, temper)
  const progress = {
    begin(name: string) {
      onPhase(name)
      return { step: () => {}, end: () => {} }
    },
  }
  return {
    findings: await runCrowd(seed, { users, posts, replies, follows, reactions, deletions }, world, progress),
    tally,
  }
}
