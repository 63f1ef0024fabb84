import { compareTimeline } from './compare-lists.ts'
import type { Ledger } from './ledger.ts'
import type { Robot } from './robot.ts'

/**
 * Reads one's timeline as far as this run goes back, while nobody writes, and compares it with the ledger. Each
 * disagreement is one sentence.
 */
export async function verifyTimeline(robot: Robot, ledger: Ledger): Promise<string[]> {
  const { index, username } = robot.identity
  const authors = new Map([[index, true]])
  for (const [name, { acknowledged, possible }] of ledger.follows.by(index)) {
    const followed = [...ledger.accounts.values()].find((account) => account.username === name)
    if (followed && (acknowledged || possible.size > 0))
      authors.set(followed.robot, acknowledged && possible.size === 0)
  }
  const roots = [...ledger.posts.values()].filter(({ replyTo }) => replyTo === null)
  const by = (sure: boolean) => roots.filter(({ author }) => authors.get(author) === sure).map(({ id }) => id)
  const earliest = roots.map(({ createdAt }) => createdAt).sort()[0] ?? ''
  const isOlder = ({ createdAt }: { createdAt: string }) => createdAt < earliest
  const seen = await robot.readTimeline(isOlder)
  return compareTimeline(
    `the timeline of ${username}`,
    {
      must: new Set(by(true)),
      may: new Set(by(false)),
      unansweredTexts: [...authors.keys()].flatMap((author) => ledger.unansweredTexts.get(author) ?? []),
    },
    seen.filter((post) => !isOlder(post)),
  )
}
