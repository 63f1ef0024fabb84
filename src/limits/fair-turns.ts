import { recentMap } from './recent-map.ts'

/** Whose turn a task uses, from the widest group, such as a network, to the client's own key. */
export type GroupPath = readonly string[]

type Group<Waiter> = { size: number; waiters: Waiter[]; parts: Map<string, Group<Waiter>> }

type Sized = readonly [string, number]

const emptyGroup = <Waiter>(): Group<Waiter> => ({ size: 0, waiters: [], parts: new Map() })

const sizesOf = <Waiter>({ parts }: Group<Waiter>, except?: string): Sized[] =>
  [...parts].filter(([name]) => name !== except).map(([name, { size }]) => [name, size] as const)

/** Of equals the last, whose turn is the farthest. */
const busiest = (sizes: readonly Sized[]): Sized | undefined =>
  sizes.reduce<Sized | undefined>((most, next) => (most && most[1] > next[1] ? most : next), undefined)

function busiestPath<Waiter>(group: Group<Waiter>): GroupPath {
  const [name] = busiest(sizesOf(group)) ?? []
  const part = name === undefined ? undefined : group.parts.get(name)
  return name === undefined || !part ? [] : [name, ...busiestPath(part)]
}

/**
 * Who must leave for a newcomer that has `own` waiting: the busiest of the others, unless that has hardly more.
 * @param isEntitled - whether a newcomer that has none waiting is never refused
 */
function leaver(own: number, others: readonly Sized[], isEntitled: boolean): string | undefined {
  const [name, size] = busiest(others) ?? ['', 0]
  return size > 0 && ((isEntitled && own === 0) || size > own + 1) ? name : undefined
}

const maxRemembered = 10_000

/**
 * Groups take turns, and within a group its parts, down to the keys (fair queueing: Nagle, RFC 970). Of the outermost, the
 * one whose last turn but one is the longest ago comes first: a network that rarely asks, to log in and then to confirm, does
 * not wait for all that return after each of their turns.
 */
export function fairTurns<Waiter>() {
  /** Its parts are in the order of their next turns. */
  const all = emptyGroup<Waiter>()
  const lastTurns = recentMap<{ last: number; before: number }>(maxRemembered)
  let turns = 0

  const sinceOf = (name: string) => lastTurns.get(name)?.before ?? 0

  /** Of equals the one that waits already. */
  const comesBefore = (waiting: string, newcomer: string) => sinceOf(waiting) <= sinceOf(newcomer)

  function insert(name: string, part: Group<Waiter>): void {
    const after = [...all.parts].filter(([other]) => !comesBefore(other, name))
    for (const [other] of after) all.parts.delete(other)
    for (const [other, group] of [[name, part] as const, ...after]) all.parts.set(other, group)
  }

  /** From the outermost group to the key's own; undefined if nothing waits there. */
  function lineOf(path: GroupPath): Group<Waiter>[] | undefined {
    const line = [all]
    for (const name of path) {
      const part = line.at(-1)?.parts.get(name)
      if (!part) return undefined
      line.push(part)
    }
    return line
  }

  function remove(path: GroupPath, waiter: Waiter): void {
    const line = lineOf(path)
    const waiters = line?.at(-1)?.waiters ?? []
    const at = waiters.indexOf(waiter)
    if (!line || at === -1) return
    waiters.splice(at, 1)
    for (const [depth, group] of line.entries()) {
      group.size -= 1
      if (group.size === 0) line[depth - 1]?.parts.delete(path[depth - 1] ?? '')
    }
  }

  function takeNext(group: Group<Waiter>): Waiter | undefined {
    const [first] = group.parts
    group.size -= 1
    if (!first) return group.waiters.shift()
    const [name, part] = first
    const waiter = takeNext(part)
    // To the end of its line.
    group.parts.delete(name)
    if (part.size > 0) group.parts.set(name, part)
    return waiter
  }

  function turnsWithin(group: Group<Waiter> | undefined, [name, ...rest]: GroupPath): number {
    if (!group) return 1
    if (name === undefined) return group.waiters.length + 1
    const own = turnsWithin(group.parts.get(name), rest)
    // One that comes before may have two turns until its last but one is as late.
    const before = (other: string) => (group === all && comesBefore(other, name) ? own + 1 : own)
    return sizesOf(group, name).reduce((sum, [other, size]) => sum + Math.min(size, before(other)), own)
  }

  /** A group with one waiting owes its newcomer nothing: if newcomers displaced each other, none would have a turn. */
  function leaverWithin(group: Group<Waiter>, [name, ...rest]: GroupPath, isEntitled: boolean): GroupPath | undefined {
    if (name === undefined) return undefined
    const own = group.parts.get(name)
    const other = leaver(own?.size ?? 0, sizesOf(group, name), isEntitled)
    const part = other === undefined ? undefined : group.parts.get(other)
    if (other !== undefined && part) return [other, ...busiestPath(part)]
    const neighbour = own && leaverWithin(own, rest, own.size > 1)
    return neighbour && [name, ...neighbour]
  }

  return {
    size: () => all.size,

    add(path: GroupPath, waiter: Waiter): void {
      let group = all
      group.size += 1
      const [outermost] = path
      if (outermost !== undefined && !all.parts.has(outermost)) insert(outermost, emptyGroup())
      for (const name of path) {
        const part = group.parts.get(name) ?? emptyGroup<Waiter>()
        group.parts.set(name, part)
        part.size += 1
        group = part
      }
      group.waiters.push(waiter)
    },

    remove,

    next(): Waiter | undefined {
      if (all.size === 0) return undefined
      const [first] = all.parts
      const waiter = takeNext(all)
      if (!first) return waiter
      const [name, part] = first
      turns += 1
      lastTurns.set(name, { last: turns, before: lastTurns.get(name)?.last ?? 0 })
      if (all.parts.delete(name)) insert(name, part)
      return waiter
    },

    /** In how many turns a newcomer's comes, at the latest, unless others arrive. */
    turnsUntil: (path: GroupPath): number => turnsWithin(all, path),

    /** The last waiter of the busiest group, or of the newcomer's own; undefined if the newcomer must leave. */
    evictFor(path: GroupPath): Waiter | undefined {
      const left = leaverWithin(all, path, true)
      const waiter = left && lineOf(left)?.at(-1)?.waiters.at(-1)
      if (left && waiter !== undefined) remove(left, waiter)
      return waiter
    },
  }
}
