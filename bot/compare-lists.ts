import type { Post } from './api-schemas.ts'
import { compareList, takeText } from './compare.ts'
import { allows, type ExpectedState } from './expected-state.ts'

/** `allowed` posts may be listed or not; `unansweredTexts` are those of writes without response. */
export type ExpectedList = {
  required: ReadonlySet<string>
  allowed: ReadonlySet<string>
  unansweredTexts: readonly string[]
}

/** Compares a full list of followers or followed accounts, which may also name accounts outside the run. */
export function compareFollows(
  list: string,
  expected: ReadonlyMap<string, ExpectedState<boolean>>,
  actual: { count: number; usernames: string[] },
  isOfRun: (username: string) => boolean,
): string[] {
  const mismatches: string[] = []
  const listed = new Set<string>()
  for (const username of actual.usernames) {
    const state = expected.get(username)
    if (listed.has(username)) mismatches.push(`${list}: lists ${username} twice.`)
    else if (state ? !allows(state, true) : isOfRun(username))
      mismatches.push(`${list}: lists ${username} unexpectedly.`)
    listed.add(username)
  }
  for (const [username, state] of expected) {
    if (!listed.has(username) && !allows(state, false)) mismatches.push(`${list}: ${username} is not listed.`)
  }
  return [...mismatches, ...compareCount(list, actual.count, actual.usernames.length)]
}

/** Compares a full list, newest first, that may hold posts of this run only. */
export function compareCompleteList(
  list: string,
  { required, allowed, unansweredTexts }: ExpectedList,
  actual: Post[],
): string[] {
  const mismatches = compareList(
    list,
    required,
    actual.map(({ id }) => id),
  )
  const unanswered = [...unansweredTexts]
  for (const [n, post] of actual.entries()) {
    const previous = actual[n - 1]
    if (previous && previous.createdAt < post.createdAt) mismatches.push(`${list}: post ${post.id} is out of order.`)
    if (!required.has(post.id) && !allowed.has(post.id) && !takeText(unanswered, post.text))
      mismatches.push(`${list}: post ${post.id} by ${post.author.username} is unexpected.`)
  }
  return mismatches
}

/** Compares a timeline, which must not contain replies. */
export function compareTimeline(list: string, expected: ExpectedList, actual: Post[]): string[] {
  const replies = actual.filter(({ replyTo }) => replyTo !== null).map(({ id }) => `${list}: contains ${id}, a reply.`)
  return [...replies, ...compareCompleteList(list, expected, actual)]
}

/** Compares a post's full list of replies with the ledger and with its reply count. */
export function compareReplies(
  list: string,
  expected: ExpectedList,
  actual: { count: number; items: Post[] },
): string[] {
  return [
    ...compareCompleteList(list, expected, actual.items),
    ...compareCount(list, actual.count, actual.items.length),
  ]
}

function compareCount(list: string, count: number, listed: number): string[] {
  return count === listed ? [] : [`${list}: counts ${count}, lists ${listed}.`]
}
