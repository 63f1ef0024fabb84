import { checkAnalytics, readBaseline } from './check/analytics.ts'
import { Checker } from './check/checker.ts'
import { ExcessInvestigation } from './check/excess.ts'
import { finalReadingSteps, readEverything, Unreadable } from './check/final-reading.ts'
import type { Finding } from './check/finding.ts'
import { type Totals, totalsOf } from './check/totals.ts'
import { interruptedCause, openClients, type RunContext } from './client.ts'
import { forEachConcurrent, Semaphore } from './concurrency.ts'
import { type Identity, identity, newRun } from './content.ts'
import { Pace } from './load/pace.ts'
import { activityOf } from './people/activity.ts'
import { Directory } from './people/directory.ts'
import { endlessDay, planDay } from './people/itinerary.ts'
import { type Day, knownPosts, liveDay } from './people/life.ts'
import { Robot } from './people/robot.ts'
import { removeSecondFactor } from './people/second-factor.ts'
import { GaveUp, type RobotContext } from './people/session.ts'
import { type CrowdSize, deletesAccount } from './plan.ts'
import type { Progress } from './progress.ts'
import { randomStream } from './random.ts'

/** `unreadable` is why the check is incomplete, or null; `gaveUp` counts robots by cause. */
export type Findings = { findings: Finding[]; totals: Totals; unreadable: string | null; gaveUp: Map<string, number> }

/** `forMs` replaces the size of the robots' day by its length; with a rate it is the open model. */
export type Conditions = {
  alone?: boolean
  forMs?: number
  ratePerSecond?: number
  rampMs?: number
  /** Ends the day early; then everything is read. */
  over?: AbortSignal
  /** Gets the checker before the first request. */
  onChecker?: (checker: Checker) => void
  /** Gets each arrival of the open model: when it was due, and when it has started. */
  onArrival?: (due: number, startedAt: number) => void
}

// A sign-up or log-in costs the server a quarter of a second of a core: more at once only fill its queue.
const maxConcurrentAuth = 16
const thinkTimeMs = 1_000
/** The identity of reads without a session, in the history. */
const visitorIndex = -1

/** Lets the robots live their day, then reads everything. After `context.stop` aborts, no step begins, but all is read. */
export async function runCrowd(
  seed: number,
  size: CrowdSize,
  context: RunContext,
  progress: Progress,
  createIdentity: (seed: number, index: number, run: string) => Identity = identity,
  conditions: Conditions = {},
): Promise<Findings> {
  const crowd = gather(seed, size, context, createIdentity, conditions)
  const { robots, directory, checker, investigation, findings, gaveUp } = crowd
  const before = await liveTogether(crowd, seed, size, context, progress, conditions)
  crowd.isOver = true
  crowd.pace?.stop()

  const shown = progress.begin('verify', finalReadingSteps(directory, robots))
  let unreadable: string | null = null
  try {
    const everything = { directory, robots: crowd.joined, stats: context.stats, checker }
    await readEverything(crowd.visitor, everything, shown.step)
    const reader = crowd.joined.find(({ isGone }) => !isGone)
    if (before && reader) await checkAnalytics(reader, before, checker, directory.known)
    await investigation.settled()
    investigation.conclude()
  } catch (error) {
    if (!(error instanceof Unreadable || error instanceof GaveUp)) throw error
    unreadable = error.message
    // What it finds belongs to the report.
    await investigation.settled()
  }
  shown.end()

  const leaving = progress.begin('log out', crowd.joined.length)
  await forEachConcurrent(crowd.joined, robots.length, async (robot) => {
    if (!robot.isGone && unreadable === null) await leave(robot)
    leaving.step()
  })
  leaving.end()
  return { findings, totals: totalsOf(crowd.checker, crowd.directory, crowd.joined), unreadable, gaveUp }
}

/** The second factor goes first: `clean` has no codes. */
async function leave(robot: Robot): Promise<void> {
  await removeSecondFactor(robot).catch((error: unknown) => {
    if (!(error instanceof GaveUp)) throw error
  })
  await robot.logOutAll()
}

type Crowd = ReturnType<typeof gather>

function gather(
  seed: number,
  size: CrowdSize,
  context: RunContext,
  createIdentity: (seed: number, index: number, run: string) => Identity,
  { alone = false, onChecker }: Conditions,
) {
  const [run, directory, never] = [newRun(), new Directory(), new AbortController().signal]
  const findings: Finding[] = []
  const onFinding = (finding: Finding) => findings.push(finding)
  const checker = new Checker({ alone, onFinding, onExcess: (excess) => investigation.look(excess) })
  context.history.listen(checker)
  onChecker?.(checker)
  const crowd: { isOver: boolean; pace?: Pace } = { isOver: false }
  const robotClients: RunContext = {
    ...context,
    get stop() {
      return crowd.isOver ? never : context.stop
    },
    get misbehaviour() {
      return crowd.isOver ? undefined : context.misbehaviour
    },
    get pace() {
      const { pace, isOver } = crowd
      return isOver || !pace ? undefined : (robot: number) => pace.next(robot)
    },
  }
  const [open, openOther] = [openClients(robotClients), openClients(robotClients)]
  const visitor = openClients({ ...context, stop: never })(visitorIndex)
  const investigation = new ExcessInvestigation(visitor, directory, checker, context.history)
  const robotContext: RobotContext = {
    ...{ directory, seed, run, stats: context.stats, authSlots: new Semaphore(maxConcurrentAuth) },
    openClient: (robot, jar, isOther) => (isOther ? openOther : open)(robot, jar),
  }
  const identities = Array.from({ length: size.users }, (_, index) => createIdentity(seed, index, run))
  for (const { username } of identities) directory.addAccount(username)
  const robots = identities.map((own) => new Robot(own, robotContext))
  const [joined, gaveUp]: [Robot[], Map<string, number>] = [[], new Map()]
  return Object.assign(crowd, {
    directory,
    findings,
    checker,
    investigation,
    visitor,
    identities,
    robots,
    joined,
    gaveUp,
  })
}

/** @returns what the analytics said before, if no other account is to react */
async function liveTogether(
  crowd: Crowd,
  seed: number,
  size: CrowdSize,
  context: RunContext,
  progress: Progress,
  { alone, forMs, ratePerSecond, rampMs = 0, over, onArrival: arrived = () => {} }: Conditions,
) {
  const { directory, identities, robots } = crowd
  const known = knownPosts(directory, identities)
  const days = identities.map(({ index }) =>
    forMs === undefined ? planDay(seed, index, size) : endlessDay(seed, index, size.users, known),
  )
  const attempt = async (robot: Robot, act: () => Promise<void>) => {
    await act().catch((error: unknown) => {
      directory.finish(robot.username)
      if (!(error instanceof GaveUp)) throw error
      if (error.message === interruptedCause) return
      crowd.gaveUp.set(error.message, (crowd.gaveUp.get(error.message) ?? 0) + 1)
    })
  }
  const joining = progress.begin('sign up', robots.length)
  const join = (robot: Robot) =>
    attempt(robot, async () => {
      await robot.signUp().finally(() => {
        // Also when the run was interrupted right after.
        if (robot.isSignedUp) crowd.joined.push(robot)
      })
      joining.step()
    })
  const [first, ...others] = robots
  let before: Awaited<ReturnType<typeof readBaseline>> = null
  if (alone && first) {
    await join(first)
    if (crowd.joined.length > 0)
      await attempt(first, async () => {
        before = await readBaseline(first)
      })
  }
  // In a day of bounded size no robot waits for the sign-ups of the others.
  const joins = new Map((alone ? others : robots).map((robot) => [robot, join(robot)]))
  if (forMs !== undefined) await Promise.all(joins.values())
  const until = forMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + rampMs + forMs
  const activity = (robot: number) => activityOf(robot, size.users)
  if (ratePerSecond !== undefined) {
    const options = { activity, arrived, random: randomStream('arrivals', seed) }
    const pace = new Pace({ rate: ratePerSecond, rampMs, forMs: forMs ?? 0 }, options)
    crowd.pace = pace
    context.stop.addEventListener('abort', () => pace.stop(), { once: true })
  }
  const steps = forMs === undefined ? days.reduce((sum, day) => sum + Array.from(day).length, 0) : 0
  const shown = progress.begin('day', steps)
  await forEachConcurrent(robots, robots.length, async (robot) => {
    await joins.get(robot)
    if (!crowd.joined.includes(robot)) return
    const { index } = robot.identity
    const day: Day = {
      ...{ steps: days[index] ?? [], until, over, leaves: deletesAccount(index, size), onStep: shown.step },
      ...(forMs !== undefined && ratePerSecond === undefined && { thinkTimeMs: thinkTimeMs / activity(index) }),
    }
    await attempt(robot, () => liveDay(robot, identities, day, context))
  })
  joining.end()
  shown.end()
  return before
}
