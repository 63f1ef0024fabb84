import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { Db } from 'mongodb'
import type { ReactionStore } from '../reactions/store.ts'
import type { RemovedPost } from './document.ts'

/** Removes the reactions of deleted posts, in the background. */
export type Sweeper = { wake(): void; close(): Promise<void> }

/**
 * That a post was removed is written with the removal itself, so a crash loses none: whatever is left is taken up again
 * at the next start. Several processes may sweep the same post; each removal counts once. No reaction comes after the
 * sweep: whoever writes one writes to its post, too, and conflicts with the removal.
 */
export function reactionSweeper(db: Db, reactions: ReactionStore, log: FastifyBaseLogger): Sweeper {
  const removed = db.collection<RemovedPost>('removedPosts')
  const closing = new AbortController()
  let running: Promise<void> | undefined
  let again = false

  async function sweepAll() {
    for await (const { _id } of removed.find({ sweptAt: { $exists: false } })) {
      while (!closing.signal.aborted && (await reactions.removeSome(_id)) > 0);
      if (closing.signal.aborted) return
      await removed.updateOne({ _id }, { $set: { sweptAt: new Date() } })
    }
  }

  async function run() {
    do {
      again = false
      await sweepAll().catch(async (error) => {
        if (closing.signal.aborted) return
        log.warn({ err: error }, 'sweeping reactions failed: trying again')
        again = true
        await sleep(1_000, undefined, { signal: closing.signal }).catch(() => undefined)
      })
    } while (again && !closing.signal.aborted)
    running = undefined
  }

  return {
    wake() {
      again = true
      running ??= run()
    },
    async close() {
      closing.abort()
      await running
    },
  }
}
