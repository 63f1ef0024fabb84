import { randomUUID } from 'node:crypto'
import { CookieJar } from 'tough-cookie'
import { interrupted, openClients, type RunContext } from './client.ts'
import { forEachConcurrent, Semaphore } from './concurrency.ts'
import { identity, postText } from './content.ts'
import { Ledger } from './ledger.ts'
import { type CrowdSize, deletesAccount, planDeletions, planFollows, planReactions, planReplies } from './plan.ts'
import type { Progress } from './progress.ts'
import { Unreadable } from './reader.ts'
import { Robot } from './robot.ts'
import { GaveUp, type RobotContext } from './session-client.ts'
import { verificationSteps, verify } from './verify.ts'
import { verifyTimeline } from './verify-timeline.ts'

/** What came of a run. */
export type Findings = {
  totals: ReturnType<Ledger['totals']>
  mismatches: string[]
  /** Why reading back could not be finished, or null. */
  unreadable: string | null
  /** Why robots could not go on, each with how many. */
  gaveUp: Map<string, number>
}

// A sign-up or log-in costs the server a quarter of a second of a core; more at once only fill its queue.
const maxConcurrentAuth = 16
const maxConcurrentDeletions = 8

/** How many things one robot does while it mingles. */
const stepsOf = ({ posts, replies, follows, reactions }: CrowdSize) =>
  follows + (posts === 0 ? 0 : replies + Math.ceil(reactions / 2))

/**
 * Lets the crowd live its day, one phase after the other, and reads everything back. Once `context.stop` is aborted nothing
 * new is begun, and what was acknowledged until then is read back.
 */
export async function runCrowd(
  seed: number,
  size: CrowdSize,
  context: RunContext,
  progress: Progress,
): Promise<Findings> {
  const ledger = new Ledger()
  const openClient = openClients(context)
  const authSlots = new Semaphore(maxConcurrentAuth)
  // Another run has other keys, so that the same texts become new posts.
  const robotContext: RobotContext = { ledger, stats: context.stats, authSlots, runId: randomUUID(), openClient }
  const robots = Array.from(
    { length: size.users },
    (_, i) => new Robot(identity(seed, i), new CookieJar(), robotContext),
  )
  const gone = new Set<Robot>()
  const gaveUp = new Map<string, number>()

  const phase = async (name: string, each: number, live: (robot: Robot, done: () => void) => Promise<void>) => {
    if (context.stop.aborted) return
    const shown = progress.begin(name, robots.length * each)
    await forEachConcurrent(robots, robots.length, async (robot) => {
      if (gone.has(robot)) return
      await live(robot, shown.step).catch((error: unknown) => {
        if (!(error instanceof GaveUp)) throw error
        gone.add(robot)
        if (error.message !== interrupted) gaveUp.set(error.message, (gaveUp.get(error.message) ?? 0) + 1)
      })
    })
    shown.end()
  }

  await phase('sign up', 1, async (robot, done) => {
    await robot.arrive()
    done()
  })
  await phase('come back', 1, async (robot, done) => {
    await robot.logOut()
    await robot.logIn()
    done()
  })
  await phase('post', size.posts, async (robot, done) => {
    const author = robot.identity.index
    for (let post = 0; post < size.posts; post += 1) {
      await robot.write({ author, post }, postText(seed, author, post))
      done()
    }
  })
  const first = (robot: number) => planReactions(seed, robot, size).slice(0, Math.ceil(size.reactions / 2))
  await phase('mingle', stepsOf(size), async (robot, done) => {
    const author = robot.identity.index
    for (const [n, parent] of planReplies(seed, author, size).entries()) {
      const post = size.posts + n
      await robot.write({ author, post }, postText(seed, author, post), parent)
      done()
    }
    for (const { robot: target, follows } of planFollows(seed, author, size)) {
      const other = robots[target]
      if (other) await robot.follow(other.identity, follows)
      done()
    }
    for (const step of first(author)) {
      await robot.react(step)
      done()
    }
  })
  const timelineMismatches: string[] = []
  await phase('look', 1, async (robot, done) => {
    timelineMismatches.push(...(await verifyTimeline(robot, ledger)))
    done()
  })
  // Who deletes meets those who still react to it.
  const leaving = new Semaphore(maxConcurrentDeletions)
  await phase('part', 1, async (robot, done) => {
    const { index } = robot.identity
    const left = [...planReactions(seed, index, size).slice(first(index).length).entries()]
    const postDeletions = planDeletions(seed, index, size)
    const every = Math.max(1, Math.floor(left.length / (postDeletions.length + 1)))
    for (const [n, step] of left) {
      await robot.react(step)
      const removal = n % every === 0 ? postDeletions.shift() : undefined
      if (removal) await robot.remove(removal)
    }
    for (const removal of postDeletions) await robot.remove(removal)
    if (deletesAccount(index, size) && (await leaving.run(() => robot.leave()))) gone.add(robot)
    done()
  })

  const auditor = openClients({ ...context, stop: new AbortController().signal })()
  const shown = progress.begin('read back', verificationSteps(ledger))
  const result = await verify(auditor, ledger, context.stats, shown.step).catch((error: unknown) => {
    if (!(error instanceof Unreadable)) throw error
    return error.message
  })
  shown.end()

  await phase('log out', 1, async (robot, done) => {
    await robot.logOut()
    done()
  })
  const read =
    typeof result === 'string'
      ? { mismatches: timelineMismatches, unreadable: result }
      : { mismatches: [...timelineMismatches, ...result], unreadable: null }
  return { totals: ledger.totals(), ...read, gaveUp }
}
