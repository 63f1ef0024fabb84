import type { ListItem } from '../history/operation.ts'
import { authorOf, kindOf, lists, partsOf } from '../history/registers.ts'
import type { Member } from './collection.ts'
import { isNewer, type World } from './world.ts'

/** A list as it was read, from the sending of its first page to the answer of its last. */
export type ListRead = { list: string; items: readonly ListItem[]; since: number; complete: boolean }

type Contradiction = { expected: string; seen: string }

/**
 * What was in for all of the time is listed once; what was out for all of it is not; the newest stands first. Keys that
 * the run does not know are those of other accounts: `onForeign` gets them.
 */
export function checkList(world: World, read: ListRead, onForeign: (key: string) => void): Contradiction[] {
  return [...checkItems(world, read, onForeign), ...checkOrder(read), ...findMissing(world, read)]
}

function checkItems(world: World, { list, items, since }: ListRead, onForeign: (key: string) => void): Contradiction[] {
  const found: Contradiction[] = []
  const listed = new Set<string>()
  for (const { key } of items) {
    if (listed.has(key)) found.push({ expected: `${key} once`, seen: 'it is listed twice' })
    listed.add(key)
    if (isForeign(world, list, key)) onForeign(key)
    else if (isOutSince(world, list, key, since)) found.push({ expected: `no ${key}`, seen: 'it is listed' })
  }
  return found
}

function checkOrder({ items }: ListRead): Contradiction[] {
  for (const [n, item] of items.entries()) {
    const next = items[n + 1]
    if (!next || item.at === undefined || next.at === undefined) continue
    const swapped = item.at === next.at ? (item.id ?? '') < (next.id ?? '') : item.at < next.at
    if (swapped)
      return [{ expected: 'the newest first', seen: `${next.key} (${next.at}) after ${item.key} (${item.at})` }]
  }
  return []
}

function findMissing(world: World, { list, items, since, complete }: ListRead): Contradiction[] {
  const listed = new Set(items.map(({ key }) => key))
  const found: Contradiction[] = []
  for (const key of required(world, list, since, complete ? undefined : items.at(-1)))
    if (!listed.has(key)) found.push({ expected: `${key}, which is in the list`, seen: 'it is not listed' })
  return found
}

/** The keys that must be listed: all, or those before the last item of an incomplete list. */
function* required(world: World, list: string, since: number, last: ListItem | undefined): Generator<string> {
  const [account] = partsOf(list)
  const isListed = isBefore(last)
  if (list === lists.everyPost) yield* rootsIn(world.everyRoot, since, last)
  else if (kindOf(list) === 'timeline') {
    yield* rootsIn(world.rootsOf(account), since, last)
    for (const followed of world.collection(lists.following(account)).members.values())
      if (followed.isInSince(since)) yield* rootsIn(world.rootsOf(followed.key), since, last)
  } else if (last === undefined || last.id !== undefined)
    for (const member of world.collection(list).members.values())
      if (member.isInSince(since) && isListed(member)) yield member.key
}

function* rootsIn(roots: readonly Member[], since: number, last: ListItem | undefined): Generator<string> {
  const isListed = isBefore(last)
  for (let n = 0; n < roots.length; n += 1) {
    const root = roots[n]
    if (!root || !isListed(root)) return
    if (root.isInSince(since)) yield root.key
  }
}

function isBefore(last: ListItem | undefined): (member: Member) => boolean {
  if (last === undefined) return () => true
  const { at, id } = last
  if (at === undefined || id === undefined) return () => false
  return (member) => isNewer(member, { position: { at, id } })
}

function isOutSince(world: World, list: string, key: string, since: number): boolean {
  const kind = kindOf(list)
  if (list !== lists.everyPost && kind !== 'timeline')
    return world.collection(list).members.get(key)?.isOutSince(since) ?? true
  const isOut = world.post(key)?.isOutSince(since) ?? true
  if (isOut || world.parentOf(key) !== undefined) return true
  const [reader] = partsOf(list)
  const author = authorOf(key)
  if (list === lists.everyPost || author === reader) return false
  return world.collection(lists.following(reader)).members.get(author)?.isOutSince(since) ?? true
}

const ofRunOnly = new Set(['following', 'posts', 'timeline', 'given'])

/** Posts of the run are `author/number`, posts of other accounts ids. A robot follows robots only. */
function isForeign(world: World, list: string, key: string): boolean {
  const kind = kindOf(list)
  if (ofRunOnly.has(kind)) return false
  if (kind === 'likes' || kind === 'dislikes' || kind === 'reactions' || kind === 'followers')
    return !world.isAccount(key)
  return !key.includes('/')
}
