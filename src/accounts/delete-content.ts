import type { Db } from 'mongodb'
import type { Parts } from '../context.ts'
import { allOf } from '../http/pages.ts'
import type { RemovedAccount } from './tombstone.ts'

type Options = Pick<Parts, 'activity' | 'follows' | 'posts' | 'reactions'>

/** What is taken back at a time: as much as goes in one batch. */
const atOnce = 500

/** Everything that others could see of an account, a batch at a time, and how it is taken back. */
async function* everythingOf(account: string, { follows, posts, reactions }: Options) {
  for await (const some of allOf(
    (position) => posts.listByAuthor(account, position),
    ({ id }) => id,
    atOnce,
  )) {
    yield some.map(
      ({ id }) =>
        () =>
          posts.remove(id, account),
    )
  }
  for (const list of [follows.listFollowing, follows.listFollowers]) {
    for await (const some of allOf(
      (position) => list(account, position),
      ({ order }) => order,
      atOnce,
    )) {
      yield some.map(
        ({ from, to }) =>
          () =>
            follows.unfollow(from, to),
      )
    }
  }
  for await (const some of allOf(
    (position) => reactions.listByAccount(account, position),
    ({ order }) => order,
    atOnce,
  )) {
    yield some.map(
      ({ post }) =>
        () =>
          reactions.react(post, account, null),
    )
  }
}

/**
 * Removes what accounts that are no more have written, each thing as its owner would have: so all counts are right at
 * every step. Nobody sees any of it meanwhile, and the writers' fence lets nothing come after it.
 */
export function accountSweep(db: Db, parts: Options) {
  const removed = db.collection<RemovedAccount>('removedAccounts')

  /** Takes back so much of an account, all of it unless told how much. */
  async function takeBack(account: string, signal: AbortSignal, most = Number.POSITIVE_INFINITY): Promise<void> {
    let left = most
    for await (const some of everythingOf(account, parts)) {
      await Promise.all(some.slice(0, left).map((take) => take()))
      left -= some.length
      if (signal.aborted || left <= 0) return
    }
  }

  return {
    takeBack,

    /** Removes all that is left of any account. */
    async sweep(signal: AbortSignal): Promise<void> {
      for await (const { _id } of removed.find({ sweptAt: { $exists: false } })) {
        const account = _id.toString()
        await takeBack(account, signal)
        await parts.posts.forgetKeys(account)
        await parts.activity.forget(account)
        if (signal.aborted) return
        await removed.updateOne({ _id }, { $set: { sweptAt: new Date() } })
      }
    },
  }
}

export type AccountSweep = ReturnType<typeof accountSweep>
