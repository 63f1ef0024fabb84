import type { Post, Reactor } from './api-schemas.ts'
import { allows, type ExpectedState } from './expected-state.ts'
import type { LedgerAccount, LedgerPost } from './ledger.ts'
import type { Reaction } from './plan.ts'

/** `reactions` are by username. */
export type ExpectedPost = LedgerPost & {
  username: string
  reactions: ReadonlyMap<string, ExpectedState<Reaction | null>>
}

/** Compares a post, or null for a 404, with the ledger. Like all comparisons, returns one sentence per mismatch. */
export function comparePost(expected: ExpectedPost, actual: Post | null): string[] {
  const name = nameOf(expected)
  if (actual === null) return [`${name}: acknowledged, but missing.`]
  const mismatches: string[] = []
  if (actual.id !== expected.id) mismatches.push(`${name}: the server returned post ${actual.id} instead.`)
  if (actual.author.username !== expected.username)
    mismatches.push(`${name}: the server returned ${actual.author.username} as the author.`)
  if (actual.text !== expected.text)
    mismatches.push(`${name}: expected the text ${quoted(expected.text)}, got ${quoted(actual.text)}.`)
  if (actual.replyTo !== expected.replyTo)
    mismatches.push(`${name}: expected replyTo ${expected.replyTo}, got ${actual.replyTo}.`)
  for (const value of ['like', 'dislike'] as const) {
    const states = [...expected.reactions.values()]
    const most = states.filter((state) => allows(state, value)).length
    const least = states.filter((state) => allows(state, value) && state.possible.size === 0).length
    const count = value === 'like' ? actual.counts.likes : actual.counts.dislikes
    if (count < least || count > most)
      mismatches.push(`${name}: expected ${value} count ${range(least, most)}, got ${count}.`)
  }
  return mismatches
}

/** Compares the full list of a post's reactions with the ledger and with the post's counts. */
export function compareReactions(expected: ExpectedPost, actual: Reactor[], counts: Post['counts'] | null): string[] {
  const name = nameOf(expected)
  const mismatches: string[] = []
  const listed = new Set<string>()
  for (const { account, value } of actual) {
    const state = expected.reactions.get(account.username)
    if (listed.has(account.username)) mismatches.push(`${name}: lists ${account.username} twice.`)
    else if (!state) mismatches.push(`${name}: lists a ${value} by ${account.username}, who never reacted to it.`)
    else if (!allows(state, value))
      mismatches.push(`${name}: lists a ${value} by ${account.username}, expected ${state.acknowledged ?? 'none'}.`)
    listed.add(account.username)
  }
  for (const [username, state] of expected.reactions) {
    if (listed.has(username) || allows(state, null)) continue
    mismatches.push(`${name}: the ${state.acknowledged} by ${username} is not listed.`)
  }
  const likes = actual.filter(({ value }) => value === 'like').length
  const agrees = counts === null || (counts.likes === likes && counts.dislikes === actual.length - likes)
  if (mismatches.length === 0 && !agrees) mismatches.push(`${name}: its counts differ from its list of reactions.`)
  return mismatches
}

/** Compares an account's full list of posts with the ledger and with its post count. */
export function compareAccount(
  expected: LedgerAccount & { posts: ReadonlySet<string>; unansweredTexts: readonly string[] },
  actual: { count: number; items: Post[] },
): string[] {
  const name = `account ${expected.username}`
  const ids = actual.items.map((post) => post.id)
  const older = expected.newestBefore === null ? -1 : ids.indexOf(expected.newestBefore)
  const ofRun = older === -1 ? actual.items : actual.items.slice(0, older)
  const mismatches = compareList(`the posts of ${expected.username}`, expected.posts, ids)
  const unanswered = [...expected.unansweredTexts]
  for (const post of ofRun) {
    if (!expected.posts.has(post.id) && !takeText(unanswered, post.text))
      mismatches.push(`${name}: post ${post.id} was never acknowledged: ${quoted(post.text)}.`)
  }
  const before = actual.items.length - ofRun.length
  if (before !== expected.postsBefore)
    mismatches.push(`${name}: listed ${expected.postsBefore} posts before this run, now lists ${before} of them.`)
  if (actual.count !== actual.items.length)
    mismatches.push(`${name}: counts ${actual.count} posts, lists ${actual.items.length}.`)
  return mismatches
}

/** Compares a list with the posts that it must hold exactly once; it may hold others. */
export function compareList(list: string, required: ReadonlySet<string>, actual: string[]): string[] {
  const listed = new Set<string>()
  const duplicates = new Set<string>()
  for (const id of actual) (listed.has(id) ? duplicates : listed).add(id)
  const missing = [...required].filter((id) => !listed.has(id))
  return [
    ...missing.map((id) => `${list}: post ${id} is missing.`),
    ...[...duplicates].map((id) => `${list}: post ${id} appears more than once.`),
  ]
}

/** Removes one occurrence, so that an unanswered write explains one post at most. Returns false without one. */
export function takeText(texts: string[], text: string): boolean {
  const index = texts.indexOf(text)
  if (index === -1) return false
  texts.splice(index, 1)
  return true
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
