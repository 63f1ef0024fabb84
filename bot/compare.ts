import type { Post, Reactor } from './api-schemas.ts'
import { allows, type ExpectedState } from './expected-state.ts'
import type { LedgerAccount, LedgerPost } from './ledger.ts'
import type { Reaction } from './plan.ts'

/** What the ledger says of one post; `standings` is by username. */
export type ExpectedPost = LedgerPost & {
  username: string
  standings: ReadonlyMap<string, ExpectedState<Reaction | null>>
}

/** Compares a post, as read by its id, with the ledger. Each disagreement is one sentence; null means not there. */
export function comparePost(expected: ExpectedPost, seen: Post | null): string[] {
  const name = nameOf(expected)
  if (seen === null) return [`${name}: acknowledged, but not there.`]
  const found: string[] = []
  if (seen.id !== expected.id) found.push(`${name}: answered by another post, ${seen.id}.`)
  if (seen.author.username !== expected.username) found.push(`${name}: shown as written by ${seen.author.username}.`)
  if (seen.text !== expected.text)
    found.push(`${name}: expected the text ${quoted(expected.text)}, seen ${quoted(seen.text)}.`)
  if (seen.replyTo !== expected.replyTo) found.push(`${name}: shown as a reply to ${seen.replyTo ?? 'nothing'}.`)
  for (const value of ['like', 'dislike'] as const) {
    const standings = [...expected.standings.values()]
    const most = standings.filter((standing) => allows(standing, value)).length
    const least = standings.filter((standing) => allows(standing, value) && standing.possible.size === 0).length
    const count = value === 'like' ? seen.counts.likes : seen.counts.dislikes
    if (count < least || count > most) found.push(`${name}: expected ${range(least, most)} ${value}s, seen ${count}.`)
  }
  return found
}

/** Compares who reacted to a post, all pages of it, with the ledger and with the counts the post showed. */
export function compareReactions(expected: ExpectedPost, seen: Reactor[], counts: Post['counts'] | null): string[] {
  const name = nameOf(expected)
  const found: string[] = []
  const met = new Set<string>()
  for (const { account, value } of seen) {
    const standing = expected.standings.get(account.username)
    if (met.has(account.username)) found.push(`${name}: lists ${account.username} twice.`)
    else if (!standing) found.push(`${name}: lists a ${value} by ${account.username}, who never reacted to it.`)
    else if (!allows(standing, value))
      found.push(`${name}: lists a ${value} by ${account.username}, expected ${standing.acknowledged ?? 'none'}.`)
    met.add(account.username)
  }
  for (const [username, standing] of expected.standings) {
    if (met.has(username) || allows(standing, null)) continue
    found.push(`${name}: the ${standing.acknowledged} by ${username} is not listed.`)
  }
  const likes = seen.filter(({ value }) => value === 'like').length
  const agrees = counts === null || (counts.likes === likes && counts.dislikes === seen.length - likes)
  if (found.length === 0 && !agrees) found.push(`${name}: its counts and the list of who reacted differ.`)
  return found
}

/** Compares an account's count of posts and its list, all pages of it, with the ledger. */
export function compareAccount(
  expected: LedgerAccount & { posts: ReadonlySet<string>; unansweredTexts: readonly string[] },
  seen: { count: number; items: Post[] },
): string[] {
  const name = `account ${expected.username}`
  const ids = seen.items.map((post) => post.id)
  const older = expected.newestBefore === null ? -1 : ids.indexOf(expected.newestBefore)
  const fresh = older === -1 ? seen.items : seen.items.slice(0, older)
  const found = compareList(`the posts of ${expected.username}`, expected.posts, ids)
  // What was sent without an answer may be there, but no more often than it was sent.
  const lost = [...expected.unansweredTexts]
  for (const post of fresh) {
    if (expected.posts.has(post.id)) continue
    const place = lost.indexOf(post.text)
    if (place === -1) found.push(`${name}: post ${post.id} was never acknowledged: ${quoted(post.text)}.`)
    else lost.splice(place, 1)
  }
  const before = seen.items.length - fresh.length
  if (before !== expected.postsBefore)
    found.push(`${name}: had ${expected.postsBefore} posts before this run, now lists ${before} of them.`)
  if (seen.count !== seen.items.length) found.push(`${name}: counts ${seen.count} posts, lists ${seen.items.length}.`)
  return found
}

/** Compares a list with the posts it must hold, each exactly once; others may be there too. */
export function compareList(list: string, expected: ReadonlySet<string>, seen: string[]): string[] {
  const met = new Set<string>()
  const twice = new Set<string>()
  for (const id of seen) (met.has(id) ? twice : met).add(id)
  const missing = [...expected].filter((id) => !met.has(id))
  return [
    ...missing.map((id) => `${list}: post ${id} is missing.`),
    ...[...twice].map((id) => `${list}: post ${id} is there more than once.`),
  ]
}

function nameOf({ id, username }: ExpectedPost): string {
  return `post ${id} by ${username}`
}

function range(least: number, most: number): string {
  return least === most ? String(least) : `${least} to ${most}`
}

function quoted(text: string): string {
  const characters = [...text]
  return JSON.stringify(characters.length <= 60 ? text : `${characters.slice(0, 60).join('')}…`)
}
