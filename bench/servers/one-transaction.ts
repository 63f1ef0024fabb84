import type { Collection, Db } from 'mongodb'
import { toUuid } from '../../src/database/ids.ts'
import type { Transact } from '../../src/database/transaction.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { type ReactionDocument, reactionKey } from '../../src/reactions/model.ts'
import type { ReactionValue } from '../../src/reactions/value.ts'
import { type CheckedWriter, localWriter } from '../../src/write-operations.ts'

class PostNotFound extends Error {}

/** The change of the counts when one value replaces another. */
function countChanges(before: ReactionValue | null, after: ReactionValue | null) {
  const of = (value: ReactionValue) => Number(after === value) - Number(before === value)
  return { likes: of('like'), dislikes: of('dislike') }
}

/** Writes each reaction in a transaction of its own, as the server did before group commit. */
export function oneTransactionPerReaction(db: Db, transact: Transact): CheckedWriter {
  const posts: Collection<PostDocument> = db.collection('posts')
  const reactions: Collection<ReactionDocument> = db.collection('reactions')

  const react: CheckedWriter['react'] = async ({ post, account, value, order }) => {
    const _id = reactionKey(post, account)
    try {
      return await transact(async (session) => {
        const before =
          value === null
            ? await reactions.findOneAndDelete({ _id }, { session })
            : await reactions.findOneAndUpdate(
                { _id },
                { $set: { value }, $setOnInsert: { post: _id.post, account: _id.account, order: toUuid(order) } },
                { session, upsert: true, returnDocument: 'before' },
              )
        const { likes, dislikes } = countChanges(before?.value ?? null, value)
        const options = { session, projection: { counts: 1 } } as const
        const updated =
          likes === 0 && dislikes === 0
            ? await posts.findOne({ _id: _id.post }, options)
            : await posts.findOneAndUpdate(
                { _id: _id.post },
                { $inc: { 'counts.likes': likes, 'counts.dislikes': dislikes } },
                { ...options, returnDocument: 'after' },
              )
        // Thrown, not returned: the transaction must abort and discard the reaction.
        if (!updated) throw new PostNotFound()
        return { outcome: 'reacted', value, counts: updated.counts }
      })
    } catch (error) {
      if (error instanceof PostNotFound) return { outcome: 'not-found' }
      throw error
    }
  }
  return { ...localWriter(db, transact), react }
}
