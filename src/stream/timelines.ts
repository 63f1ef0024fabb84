import type { Collection, Db } from 'mongodb'
import type { CountsDocument } from '../accounts/counts.ts'
import { toUuid } from '../database/ids.ts'
import { boundedTime } from '../database/max-time.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { FollowStore } from '../follows/store.ts'

type Timeline = { account: string; authors: ReadonlySet<string>; revision: number; streams: number }

/** Who is in the timelines of the open streams: once for each account, whatever the number of its streams. */
export function openTimelines(db: Db, follows: Pick<FollowStore, 'followedBy'>) {
  const counts: Collection<CountsDocument> = db.collection('accountCounts')
  const timelines = new Map<string, Timeline>()

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
    if (timeline.revision > revision) return
    timeline.authors = new Set([timeline.account, ...followed.map((author) => author.toString())])
    timeline.revision = revision
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
      if (timeline.streams === 0) timelines.delete(timeline.account)
    },

    /** Makes these as they are now: every follow writes a revision, so that the follows themselves are rarely read. */
    async renew(used: ReadonlySet<Timeline>): Promise<void> {
      if (used.size === 0) return
      const revisions = await revisionsOf([...used].map(({ account }) => account))
      const changed = [...used].filter(({ account, revision }) => revision !== (revisions.get(account) ?? 0))
      await Promise.all(changed.map((timeline) => renewOne(timeline, revisions.get(timeline.account) ?? 0)))
    },
  }
}

export type OpenTimelines = ReturnType<typeof openTimelines>

export type OpenTimeline = ReturnType<OpenTimelines['open']>
