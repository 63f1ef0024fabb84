import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { CookieJar } from 'tough-cookie'
import { interruptedCause, openClients, type RunContext } from './client.ts'
import { forEachConcurrent, Semaphore } from './concurrency.ts'
import { type Identity, identity, postText } from './content.ts'
import { Ledger } from './ledger.ts'
import { type CrowdSize, deletesAccount, planDeletions, planFollows, planReactions, planReplies } from './plan.ts'
import type { Progress } from './progress.ts'
import { Robot } from './robot.ts'
import { GaveUp, type RobotContext } from './session-client.ts'
import { type Verification, verificationSteps, verify } from './verify.ts'
import { verifyTimeline } from './verify-timeline.ts'

/** `unreadable` is why the verification is incomplete, or null; `gaveUp` counts robots by cause. */
export type Findings = {
  totals: ReturnType<Ledger['totals']>
  mismatches: string[]
  unreadable: string | null
  gaveUp: Map<string, number>
}

// A sign-up or log-in costs the server a quarter of a second of a core: more at once only fill its queue.
const maxConcurrentAuth = 16
const maxConcurrentDeletions = 8
const settlePauseMs = 1_000

/** Runs the phases, then verifies. After `context.stop` aborts, no action starts, but the verification runs. */
export async function runCrowd(
  seed: number,
  size: CrowdSize,
  context: RunContext,
  progress: Progress,
  createIdentity: (seed: number, index: number) => Identity = identity,
): Promise<Findings> {
  const ledger = new Ledger()
  const openClient = openClients(context)
  const authSlots = new Semaphore(maxConcurrentAuth)
  // A new run id gives new Idempotency-Keys, so that a second run with the same seed creates new posts.
  const robotContext: RobotContext = { ledger, stats: context.stats, authSlots, runId: randomUUID(), openClient }
  const robots = Array.from(
    { length: size.users },
    (_, i) => new Robot(createIdentity(seed, i), new CookieJar(), robotContext),
  )
  const inactive = new Set<Robot>()
  const gaveUp = new Map<string, number>()

  const phase = async (name: string, steps: number, act: (robot: Robot, done: () => void) => Promise<void>) => {
    if (context.stop.aborted) return
    const active = robots.filter((robot) => !inactive.has(robot))
    const shown = progress.begin(name, active.length * steps)
    await forEachConcurrent(active, active.length, async (robot) => {
      await act(robot, shown.step).catch((error: unknown) => {
        if (!(error instanceof GaveUp)) throw error
        inactive.add(robot)
        if (error.message !== interruptedCause) gaveUp.set(error.message, (gaveUp.get(error.message) ?? 0) + 1)
      })
    })
    shown.end()
  }

  await phase('sign up', 1, async (robot, done) => {
    await robot.signUp()
    done()
  })
  await phase('log in', 1, async (robot, done) => {
    await robot.logOut()
    await robot.logIn()
    done()
  })
  await phase('post', size.posts, async (robot, done) => {
    const author = robot.identity.index
    for (let post = 0; post < size.posts; post += 1) {
      await robot.createPost({ author, post }, postText(seed, author, post))
      done()
    }
  })
  const firstReactions = Math.ceil(size.reactions / 2)
  await phase('interact', interactionSteps(size), async (robot, done) => {
    const author = robot.identity.index
    for (const [n, parent] of planReplies(seed, author, size).entries()) {
      const post = size.posts + n
      await robot.createPost({ author, post }, postText(seed, author, post), parent)
      done()
    }
    for (const { target, follows } of planFollows(seed, author, size)) {
      const other = robots[target]
      if (other) await robot.follow(other.identity, follows)
      done()
    }
    for (const step of planReactions(seed, author, size).slice(0, firstReactions)) {
      await robot.react(step)
      done()
    }
  })
  const timelineMismatches: string[] = []
  await phase('timelines', 1, async (robot, done) => {
    timelineMismatches.push(...(await verifyTimeline(robot, ledger)))
    done()
  })
  // The remaining reactions run beside the deletions, so that both meet on the same posts.
  const deletionSlots = new Semaphore(maxConcurrentDeletions)
  await phase('delete', 1, async (robot, done) => {
    const { index } = robot.identity
    const reactions = [...planReactions(seed, index, size).slice(firstReactions).entries()]
    const deletions = planDeletions(seed, index, size)
    const interval = Math.max(1, Math.floor(reactions.length / (deletions.length + 1)))
    for (const [n, step] of reactions) {
      await robot.react(step)
      const deletion = n % interval === 0 ? deletions.shift() : undefined
      if (deletion) await robot.deletePost(deletion)
    }
    for (const deletion of deletions) await robot.deletePost(deletion)
    if (deletesAccount(index, size) && (await deletionSlots.run(() => robot.deleteAccount()))) inactive.add(robot)
    done()
  })

  const publicClient = openClients({ ...context, stop: new AbortController().signal })()
  const shown = progress.begin('verify', verificationSteps(ledger))
  const verification = await settle(
    () => verify(publicClient, ledger, context.stats, shown.step),
    ledger,
    context.retryPolicy.totalMs / 2,
  )
  shown.end()

  await phase('log out', 1, async (robot, done) => {
    await robot.logOut()
    done()
  })
  const { outcome } = verification
  return {
    totals: ledger.totals(),
    mismatches: [...timelineMismatches, ...(outcome === 'complete' ? verification.mismatches : [])],
    unreadable: outcome === 'incomplete' ? verification.reason : null,
    gaveUp,
  }
}

/**
 * The server acknowledges the deletion of an account once it is certain, and may remove its content a little later: a
 * mismatch counts only if it stays.
 */
async function settle(read: () => Promise<Verification>, ledger: Ledger, withinMs: number): Promise<Verification> {
  for (const end = performance.now() + withinMs; ; await sleep(settlePauseMs)) {
    const verification = await read()
    const mayChange = verification.outcome === 'complete' && verification.mismatches.length > 0
    if (!mayChange || ledger.accountDeletions.size === 0 || performance.now() > end) return verification
  }
}

function interactionSteps({ posts, replies, follows, reactions }: CrowdSize): number {
  return follows + (posts === 0 ? 0 : replies + Math.ceil(reactions / 2))
}
