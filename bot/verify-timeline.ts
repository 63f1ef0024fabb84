import { compareTimeline } from './compare-lists.ts'
import type { Ledger } from './ledger.ts'
import type { Robot } from './robot.ts'

/** Compares the run's part of a robot's timeline with the ledger. Run it while no robot writes. @throws GaveUp */
export async function verifyTimeline(robot: Robot, ledger: Ledger): Promise<string[]> {
  const { index, username } = robot.identity
  // The value says whether the follow is certain: uncertain authors may be shown or not.
  const authors = new Map([[index, true]])
  for (const [name, { acknowledged, possible }] of ledger.follows.ofRobot(index)) {
    const followed = [...ledger.accounts.values()].find((account) => account.username === name)
    if (followed && (acknowledged || possible.size > 0))
      authors.set(followed.robot, acknowledged && possible.size === 0)
  }
  const roots = [...ledger.posts.values()].filter(({ replyTo }) => replyTo === null)
  const idsBy = (certain: boolean) => roots.filter(({ author }) => authors.get(author) === certain).map(({ id }) => id)
  const earliest = roots.map(({ createdAt }) => createdAt).sort()[0] ?? ''
  const isOlder = ({ createdAt }: { createdAt: string }) => createdAt < earliest
  const timeline = await robot.readTimeline(isOlder)
  return compareTimeline(
    `the timeline of ${username}`,
    {
      required: new Set(idsBy(true)),
      allowed: new Set(idsBy(false)),
      unansweredTexts: [...authors.keys()].flatMap((author) => ledger.unansweredTexts.get(author) ?? []),
    },
    timeline.filter((post) => !isOlder(post)),
  )
}
