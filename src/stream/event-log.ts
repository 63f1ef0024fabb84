import { type Change, historySeconds } from './change-feed.ts'
import { type Position, secondsBefore, secondsOf } from './position.ts'

/** Some 10 MB. */
const maxEntries = 50_000
/** Of a stream that resumes. Their posts are read for it alone: more would cost as much as 50 pages of a list. */
const maxResumed = 5_000
/** Counts are sent later than their change, and so after changes that are later: those of so many seconds are repeated. */
const countsDelaySeconds = 2
/** The clocks of cluster time never differ so much: a position of this later time is none that a server has given. */
const maxAheadSeconds = historySeconds

/** The last changes, without the posts, each with its number in this process: what a stream can resume from. */
export function eventLog(capacity = maxEntries) {
  let entries: Change[] = []
  /** The number of the first entry. */
  let first = 0
  let floor: Position = ''
  let head: Position = ''

  const end = () => first + entries.length

  /** The index of the first entry at `position` or later. */
  function indexOf(position: Position): number {
    let [low, high] = [0, entries.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((entries[middle]?.position ?? '') < position) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    /** Forgets everything: what happened before `position` is unknown. */
    begin(position: Position): void {
      first = end()
      entries = []
      floor = position
      head = position
    },

    append(changes: readonly Change[]): void {
      entries.push(...changes)
      head = changes.at(-1)?.position ?? head
      const excess = entries.length - capacity
      if (excess <= capacity / 10) return
      floor = entries[excess - 1]?.position ?? floor
      entries = entries.slice(excess)
      first += excess
    },

    /** Everything up to `position` is in the log. */
    passed(position: Position): void {
      if (position > head) head = position
    },

    /** The number after the last one. */
    get end(): number {
      return end()
    },

    get head(): Position {
      return head
    },

    /** The number from which a stream that has seen `position` resumes; undefined if that is too long ago. */
    numberAfter(position: Position): number | undefined {
      if (position < floor || secondsOf(position) > secondsOf(head) + maxAheadSeconds) return undefined
      if (entries.length - indexOf(position) > maxResumed) return undefined
      return first + indexOf(secondsBefore(position, countsDelaySeconds))
    },

    /** Entries from a number; undefined if the log no longer has it. */
    read(from: number, count: number): readonly Change[] | undefined {
      return from < first ? undefined : entries.slice(from - first, from - first + count)
    },
  }
}

export type EventLog = ReturnType<typeof eventLog>
