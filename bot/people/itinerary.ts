import {
  type CrowdSize,
  carriesFactor,
  isDeleted,
  type PostRef,
  planDeletions,
  planFollows,
  planReactions,
  planReplies,
  type Reaction,
  removesFactor,
  zipf,
} from '../plan.ts'
import { below, pick, type Random, randomStream } from '../random.ts'
import { type Habit, habits, type Step } from './steps.ts'

const editedEvery = 10

/**
 * A day of bounded size: what it writes depends on the arguments only, however fast the others are. The posts come first,
 * so that none of them waits for the post of another robot.
 */
export function planDay(seed: number, robot: number, size: CrowdSize): Step[] {
  const random = randomStream('day', seed, robot)
  const posts = Array.from({ length: size.posts }, (_, number): Step => ({ kind: 'post', number }))
  const replies = planReplies(seed, robot, size).map(
    (parent, n): Step => ({ kind: 'reply', number: size.posts + n, parent }),
  )
  const follows = planFollows(seed, robot, size).map((step): Step => ({ kind: 'follow', ...step }))
  const reactions = planReactions(seed, robot, size).map(
    ({ author, post, value }): Step => ({ kind: 'react', post: { author, post }, value }),
  )
  const edits = Array.from({ length: size.posts }, (_, number) => number)
    .filter((number) => (robot + number) % editedEvery === 3 && !isDeleted(seed, { author: robot, post: number }, size))
    .map((number): Step => ({ kind: 'edit', number, version: 1 }))
  const profile: Step[] = robot % 3 === 0 ? [{ kind: 'profile' }] : []
  const habit = habitOf(robot)
  const early: Step[] = habit === 'reuse' ? [{ kind: 'reuse' }] : []
  const late: Step[] = habit && habit !== 'reuse' ? [{ kind: habit }] : []
  const deletions = planDeletions(seed, robot, size)
    .filter(({ post }) => post < size.posts + replies.length)
    .map(({ post }): Step => ({ kind: 'delete', number: post }))
  const middle = interleave(random, [replies, follows, reactions, edits, profile, late])
  const half = Math.floor(middle.length / 2)
  return [
    { kind: 'browse' },
    ...enrolment(seed, robot),
    ...early,
    ...posts,
    ...middle.slice(0, half),
    ...interleave(random, [middle.slice(half), deletions]),
    ...useOfFactor(seed, robot),
  ]
}

/** A day without end, among posts that exist by then. */
export function* endlessDay(
  seed: number,
  robot: number,
  robots: number,
  known: () => readonly PostRef[],
): Generator<Step> {
  const random = randomStream('endless day', seed, robot)
  const habit = habitOf(robot)
  const own: number[] = []
  let number = 0
  yield { kind: 'browse' }
  yield* enrolment(seed, robot)
  if (habit) yield { kind: habit }
  yield* useOfFactor(seed, robot)
  for (;;) {
    const chance = random()
    const posts = known()
    const seen = posts.length > 0 ? posts[zipf(random, posts.length)] : undefined
    if (!seen || chance < 0.14) {
      own.push(number)
      yield { kind: 'post', number: number++ }
    } else if (chance < 0.54) {
      yield { kind: 'react', post: seen, value: pick(random, reactions) }
    } else if (chance < 0.64 && robots > 1) {
      yield { kind: 'follow', target: (robot + 1 + zipf(random, robots - 1)) % robots, follows: random() < 0.8 }
    } else if (chance < 0.74) {
      yield { kind: 'reply', number: number++, parent: seen }
    } else if (chance < 0.78 && own.length > 0) {
      yield { kind: 'edit', number: pick(random, own), version: 1 + below(random, 1_000) }
    } else if (chance < 0.81 && own.length > 2) {
      yield { kind: 'delete', number: own.splice(below(random, own.length), 1)[0] ?? 0 }
    } else if (chance < 0.82 && robot % 3 === 0) {
      yield { kind: 'profile' }
    } else yield { kind: 'browse' }
  }
}

const reactions: readonly (Reaction | null)[] = ['like', 'like', 'like', 'dislike', null]

/** Nine robots in ten have one habit each; the tenth is who leaves. */
function habitOf(robot: number): Habit | undefined {
  return habits[robot % 10]
}

function enrolment(seed: number, robot: number): Step[] {
  return carriesFactor(seed, robot) ? [{ kind: 'enrol' }] : []
}

function useOfFactor(seed: number, robot: number): Step[] {
  if (!carriesFactor(seed, robot)) return []
  return removesFactor(seed, robot) ? [{ kind: 'use codes' }, { kind: 'remove factor' }] : [{ kind: 'use codes' }]
}

/** Merges the lists at random; each keeps its order. */
function interleave(random: Random, lists: readonly (readonly Step[])[]): Step[] {
  const rest = lists.map((list) => [...list])
  const merged: Step[] = []
  for (let left = rest.flat().length; left > 0; left -= 1) {
    let chosen = below(random, left)
    for (const list of rest) {
      if (chosen < list.length) {
        const step = list.shift()
        if (step) merged.push(step)
        break
      }
      chosen -= list.length
    }
  }
  return merged
}
