import type { Collection, Db } from 'mongodb'
import type { CountsDocument } from '../accounts/counts.ts'
import { toUuid } from '../database/ids.ts'
import { boundedTime } from '../database/max-time.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { FollowStore } from '../follows/store.ts'

/** Of all timelines together, some 80 MB. */
const defaultMaxAuthors = 1_000_000
/** At a time: the answer for an account that follows thousands takes a megabyte. */
const maxReads = 8

type Timeline = { account: string; authors: ReadonlySet<string>; revision: number; streams: number }

type Options = {
  /** Ends the streams of a timeline. */
  end: (timeline: Timeline) => void
  maxAuthors?: number
}

/**
 * Who is in the timelines of the open streams: once for each account, whatever the number of its streams. When all together
 * have too many authors, the streams of the largest end.
 */
export function openTimelines(
  db: Db,
  follows: Pick<FollowStore, 'followedBy'>,
  { end, maxAuthors = defaultMaxAuthors }: Options,
) {
  const counts: Collection<CountsDocument> = db.collection('accountCounts')
  const timelines = new Map<string, Timeline>()
  let authorsOfAll = 0

  function setAuthors(timeline: Timeline, authors: ReadonlySet<string>): void {
    authorsOfAll += authors.size - timeline.authors.size
    timeline.authors = authors
  }

  function makeRoom(): void {
    if (authorsOfAll <= maxAuthors) return
    const bySize = [...timelines.values()].toSorted((a, b) => b.authors.size - a.authors.size)
    for (const timeline of bySize) {
      if (authorsOfAll <= maxAuthors) return
      // First: without authors, it would be sent too little.
      end(timeline)
      setAuthors(timeline, new Set())
      timeline.revision = -1
    }
  }

  async function revisionsOf(accounts: readonly string[]): Promise<Map<string, number>> {
    const found = await counts
      .find(
        { _id: { $in: accounts.map(toUuid) } },
        { projection: { revision: 1 }, ...singleBatch(accounts.length), ...boundedTime },
      )
      .toArray()
    return new Map(found.map(({ _id, revision = 0 }) => [_id.toString(), revision]))
  }

  /** The revision is older than the authors: if a follow comes between the two, they are read again next time. */
  async function renewOne(timeline: Timeline, revision: number): Promise<void> {
    const followed = await follows.followedBy(timeline.account)
    if (timeline.revision > revision || timelines.get(timeline.account) !== timeline) return
    setAuthors(timeline, new Set([timeline.account, ...followed.map((author) => author.toString())]))
    timeline.revision = revision
    makeRoom()
  }

  return {
    /** Without authors at first: call `renew` before each use. */
    open(account: string): Timeline {
      const timeline = timelines.get(account) ?? { account, authors: new Set(), revision: -1, streams: 0 }
      timelines.set(account, timeline)
      timeline.streams += 1
      return timeline
    },

    close(timeline: Timeline): void {
      timeline.streams -= 1
      if (timeline.streams > 0) return
      setAuthors(timeline, new Set())
      timelines.delete(timeline.account)
    },

    /** Makes these as they are now: every follow writes a revision, so that the follows themselves are rarely read. */
    async renew(used: ReadonlySet<Timeline>): Promise<void> {
      if (used.size === 0) return
      const revisions = await revisionsOf([...used].map(({ account }) => account))
      const changed = [...used].filter(({ account, revision }) => revision !== (revisions.get(account) ?? 0))
      const rest = changed.values()
      const renewRest = async () => {
        for (const timeline of rest) await renewOne(timeline, revisions.get(timeline.account) ?? 0)
      }
      await Promise.all(Array.from({ length: maxReads }, renewRest))
    },
  }
}

export type OpenTimelines = ReturnType<typeof openTimelines>

export type OpenTimeline = ReturnType<OpenTimelines['open']>
