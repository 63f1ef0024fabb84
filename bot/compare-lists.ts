import type { Post } from './api-schemas.ts'
import { compareList } from './compare.ts'
import { allows, type ExpectedState } from './expected-state.ts'

/**
 * Compares who follows, or is followed, all pages of it, with the ledger and with the count that the account showed.
 * @param ours - who the ledger knows; others may be there only among followers, from other runs.
 */
export function compareFollows(
  list: string,
  expected: ReadonlyMap<string, ExpectedState<boolean>>,
  seen: { count: number; usernames: string[] },
  ours: (username: string) => boolean,
): string[] {
  const found: string[] = []
  const met = new Set<string>()
  for (const username of seen.usernames) {
    const standing = expected.get(username)
    if (met.has(username)) found.push(`${list}: lists ${username} twice.`)
    else if (standing ? !allows(standing, true) : ours(username))
      found.push(`${list}: lists ${username}, expected not.`)
    met.add(username)
  }
  for (const [username, standing] of expected) {
    if (!met.has(username) && !allows(standing, false)) found.push(`${list}: ${username} is not listed.`)
  }
  if (seen.count !== seen.usernames.length) found.push(`${list}: counts ${seen.count}, lists ${seen.usernames.length}.`)
  return found
}

/** What a list of posts may show of this run: what it must, what it may, and the texts of what had no answer. */
export type ExpectedList = { must: ReadonlySet<string>; may: ReadonlySet<string>; unansweredTexts: readonly string[] }

/** Compares a list that holds posts of this run and no others, all pages of it, with the ledger. */
export function compareCompleteList(
  list: string,
  { must, may, unansweredTexts }: ExpectedList,
  seen: Post[],
): string[] {
  const found = compareList(
    list,
    must,
    seen.map(({ id }) => id),
  )
  const lost = [...unansweredTexts]
  for (const [n, post] of seen.entries()) {
    const before = seen[n - 1]
    if (before && before.createdAt < post.createdAt) found.push(`${list}: post ${post.id} is not in its order.`)
    if (must.has(post.id) || may.has(post.id)) continue
    const place = lost.indexOf(post.text)
    if (place === -1) found.push(`${list}: post ${post.id} by ${post.author.username} does not belong there.`)
    else lost.splice(place, 1)
  }
  return found
}

/** A timeline has no replies, and is otherwise compared as a whole. */
export function compareTimeline(list: string, expected: ExpectedList, seen: Post[]): string[] {
  const replies = seen.filter(({ replyTo }) => replyTo !== null).map(({ id }) => `${list}: shows ${id}, a reply.`)
  return [...replies, ...compareCompleteList(list, expected, seen)]
}

/** The replies to a post, all pages of them, and their count. */
export function compareReplies(list: string, expected: ExpectedList, seen: { count: number; items: Post[] }): string[] {
  const found = compareCompleteList(list, expected, seen.items)
  if (seen.count !== seen.items.length) found.push(`${list}: counts ${seen.count}, lists ${seen.items.length}.`)
  return found
}
