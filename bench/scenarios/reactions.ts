import type { StoredCounts, StoredReaction } from '../stored/stored.ts'
import { expectCount } from './scenario.ts'

/** The name of what stands between an account and a post. */
export const pairName = (post: string, account: string) => `${post} ${account}`

/**
 * Compares reactions with what was acknowledged, and the posts' counts with the reactions.
 * @param acknowledged - each pair's last value; null where the last request was refused
 */
export function checkReactions(
  side: string,
  acknowledged: ReadonlyMap<string, string | null>,
  reactions: readonly StoredReaction[],
  counts: readonly StoredCounts[],
): string[] {
  const stored = new Map(reactions.map(({ post, account, value }) => [pairName(post, account), value]))
  const sums = Map.groupBy(reactions, ({ post, value }) => `${post} ${value}`)
  let wrong = 0
  for (const [name, value] of acknowledged) if (value !== null && stored.get(name) !== value) wrong += 1
  for (const name of stored.keys()) if (!acknowledged.has(name)) wrong += 1

  const sum = (post: string, value: string) => sums.get(`${post} ${value}`)?.length ?? 0
  const isMiscounted = ({ post, likes, dislikes }: StoredCounts) =>
    likes !== sum(post, 'like') || dislikes !== sum(post, 'dislike')
  return [
    ...expectCount(0, wrong, `${side}: reactions that differ from what was acknowledged`),
    ...expectCount(0, reactions.length - stored.size, `${side}: second reactions of an account to a post`),
    ...expectCount(0, counts.filter(isMiscounted).length, `${side}: posts whose counts differ from their reactions`),
  ]
}
