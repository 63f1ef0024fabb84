import { setTimeout as sleep } from 'node:timers/promises'
import type { Identity } from '../content.ts'
import type { PostRef } from '../plan.ts'
import { randomStream } from '../random.ts'
import type { Directory } from './directory.ts'
import { readExport } from './export.ts'
import { Reading } from './reading.ts'
import { mustBeRefused, ownAccount, refusePassword } from './refusals.ts'
import type { Robot } from './robot.ts'
import type { Step } from './steps.ts'
import { Visits } from './visits.ts'

export type Day = {
  steps: Iterable<Step>
  /** Mean of the pauses between steps; without it, none. */
  thinkTimeMs?: number
  /** performance.now() after which no step begins, and one that has begun only does what it writes. */
  until?: number
  /** After it aborts, no step begins but the first few, so that there is something to check. */
  over?: AbortSignal | undefined
  leaves: boolean
  onStep: () => void
}

const minSteps = 5

/** A robot's day after its sign-up: its steps, what its habits leave for the end, and perhaps its farewell. */
export async function liveDay(
  robot: Robot,
  identities: readonly Identity[],
  { steps, thinkTimeMs, until = Number.POSITIVE_INFINITY, over, leaves, onStep }: Day,
  surroundings: { base: URL; stop: AbortSignal },
): Promise<void> {
  const { stop } = surroundings
  const visits = new Visits(robot, identities, { ...surroundings, until })
  const random = randomStream('thinking', robot.context.seed, robot.identity.index)
  let taken = 0
  for (const step of steps) {
    const pause = thinkTimeMs === undefined ? 0 : -Math.log(1 - random()) * thinkTimeMs
    if (performance.now() + pause > until || stop.aborted || (over?.aborted && taken >= minSteps)) break
    taken += 1
    if (pause > 0) await sleep(pause, undefined, { signal: stop }).catch(() => undefined)
    await visits.perform(step)
    onStep()
  }
  // The others may wait for posts of this robot, and it may be leaving for 10 s.
  robot.context.directory.finish(robot.username)
  await visits.end()
  if (leaves && !stop.aborted) await leave(robot)
}

const exportsEvery = 10

async function leave(robot: Robot): Promise<void> {
  const copy = await robot.session.copy()
  if (robot.identity.index % exportsEvery === exportsEvery - 1 && (await robot.confirmPassword()))
    await readExport(robot)
  await robot.deleteAccount()
  if (!robot.isGone) return
  const endedAt = performance.now()
  await mustBeRefused(robot, copy.client, { what: 'a deleted account', call: ownAccount, statuses: [401], endedAt })
  await refusePassword(robot, 'the password of a deleted account', robot.identity.password)
  // Without the session, which is gone.
  const visitor = new Reading(robot.context.directory, null, async (call) => {
    const result = await robot.session.client.send(call)
    robot.session.record(call, result, result.status === 404)
    return result
  })
  await visitor.profile(robot.username)
}

/** The posts that are known so far, as references; the list grows. */
export function knownPosts(directory: Directory, identities: readonly Identity[]): () => readonly PostRef[] {
  const indexes = new Map(identities.map(({ username, index }) => [username, index]))
  const refs: PostRef[] = []
  return () => {
    for (const key of directory.known.slice(refs.length)) {
      const [username = '', post] = key.split('/')
      refs.push({ author: indexes.get(username) ?? 0, post: Number(post) })
    }
    return refs
  }
}
