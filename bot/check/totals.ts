import { lists, registers } from '../history/registers.ts'
import type { Directory } from '../people/directory.ts'
import type { Tally } from '../people/tally.ts'
import type { Checker } from './checker.ts'

/**
 * `created` are posts, also those that were deleted; `secondFactors` are enrolments, also of apps that were removed; `pinned` and `open` are writes without an answer; `foreign` are
 * posts and accounts that are not of this run.
 */
export type Totals = {
  created: number
  posts: number
  reactions: number
  follows: number
  secondFactors: number
  checked: number
  pinned: number
  open: number
  foreign: number
}

/** What stands at the end, as far as the check knows. */
export function totalsOf(
  checker: Checker,
  directory: Directory,
  robots: readonly { username: string; tally: Tally }[],
): Totals {
  const exists = (post: string) => checker.possibleValues(registers.post(post)).every(Boolean)
  const posts = directory.known.filter(exists)
  const sizeOf = (name: string) => checker.sizes(name).least
  return {
    created: directory.known.length,
    posts: posts.length,
    reactions: posts.reduce((sum, post) => sum + sizeOf(lists.reactions(post)), 0),
    follows: robots.reduce((sum, { username }) => sum + sizeOf(lists.following(username)), 0),
    secondFactors: robots.filter(({ tally }) => tally.events.get('totp-enrolled')?.certain).length,
    ...{ checked: checker.checked, pinned: checker.pinned, open: checker.open, foreign: checker.foreign.size },
  }
}
