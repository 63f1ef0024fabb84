/** Whose turn a task uses: a group, such as a network, and within it a key, such as an address. */
export type Share = { group: string; key: string }

type Group<Waiter> = { size: number; keys: Map<string, Waiter[]> }

type Sized = readonly [string, number]

/** Of equals the last, whose turn is the farthest. */
const busiest = (sizes: Iterable<Sized>): Sized | undefined =>
  [...sizes].reduce<Sized | undefined>((most, next) => (most && most[1] > next[1] ? most : next), undefined)

/**
 * Who must leave for a newcomer that has `own` waiting: the busiest of the others, unless that has hardly more.
 * @param isEntitled - whether a newcomer that has none waiting is never refused
 */
function leaver(own: number, others: Iterable<Sized>, isEntitled = true): string | undefined {
  const [name, size] = busiest(others) ?? ['', 0]
  return size > 0 && ((isEntitled && own === 0) || size > own + 1) ? name : undefined
}

/** Groups take turns, and within a group its keys (fair queueing: Nagle, RFC 970). */
export function fairTurns<Waiter>() {
  const groups = new Map<string, Group<Waiter>>()
  let size = 0

  function remove({ group: name, key }: Share, waiter: Waiter): void {
    const group = groups.get(name)
    const queue = group?.keys.get(key)
    const at = queue?.indexOf(waiter) ?? -1
    if (!group || !queue || at === -1) return
    queue.splice(at, 1)
    group.size -= 1
    size -= 1
    if (queue.length === 0) group.keys.delete(key)
    if (group.size === 0) groups.delete(name)
  }

  function takeLast(share: Share): Waiter | undefined {
    const last = groups.get(share.group)?.keys.get(share.key)?.at(-1)
    if (last !== undefined) remove(share, last)
    return last
  }

  const lengths = (group: Group<Waiter> | undefined, except?: string): Sized[] =>
    [...(group?.keys ?? [])].filter(([key]) => key !== except).map(([key, { length }]) => [key, length] as const)

  return {
    size: () => size,
    sizeOf: (group: string) => groups.get(group)?.size ?? 0,

    add(share: Share, waiter: Waiter): void {
      const group = groups.get(share.group) ?? { size: 0, keys: new Map<string, Waiter[]>() }
      const queue = group.keys.get(share.key) ?? []
      queue.push(waiter)
      group.keys.set(share.key, queue)
      group.size += 1
      size += 1
      groups.set(share.group, group)
    },

    remove,

    next(): Waiter | undefined {
      const [first] = groups
      const [queued] = first?.[1].keys ?? []
      if (!first || !queued) return undefined
      const [[name, group], [key, queue]] = [first, queued]
      const [waiter] = queue
      if (waiter !== undefined) remove({ group: name, key }, waiter)
      // Both go to the end of their line.
      if (group.keys.delete(key)) group.keys.set(key, queue)
      if (groups.delete(name)) groups.set(name, group)
      return waiter
    },

    /** The last waiter of the busiest group, or of the newcomer's own; undefined if the newcomer must leave. */
    evictFor({ group, key }: Share, withinGroup: boolean): Waiter | undefined {
      const own = groups.get(group)
      const others = [...groups].filter(([name]) => name !== group).map(([name, { size }]) => [name, size] as const)
      const other = withinGroup ? undefined : leaver(own?.size ?? 0, others)
      if (other !== undefined) {
        const [longest = ''] = busiest(lengths(groups.get(other))) ?? []
        return takeLast({ group: other, key: longest })
      }
      // The oldest of a group keeps its place, or a group whose newcomers displace each other would never have a turn.
      const isEntitled = withinGroup || (own?.size ?? 0) > 1
      const neighbour = leaver(own?.keys.get(key)?.length ?? 0, lengths(own, key), isEntitled)
      return neighbour === undefined ? undefined : takeLast({ group, key: neighbour })
    },
  }
}
