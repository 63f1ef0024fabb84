import type { ContentDeletion } from '../accounts/delete-content.ts'
import type { PostWriter } from '../posts/store.ts'

const rememberedMs = 10_000

/**
 * Posts and accounts that this process has just deleted. A stream that read one before its deletion was committed must not
 * send it after the deletion was acknowledged.
 */
export function recentRemovals() {
  const removedAt = new Map<string, number>()

  return {
    /** Call it before the deletion is acknowledged. */
    add(id: string): void {
      const now = performance.now()
      for (const [other, at] of removedAt) {
        if (at > now - rememberedMs) break
        removedAt.delete(other)
      }
      removedAt.set(id, now)
    },
    has: (id: string): boolean => removedAt.has(id),
  }
}

export type RecentRemovals = ReturnType<typeof recentRemovals>

/** A writer that notes each deletion of a post. */
export const notingPosts = <Writer extends Pick<PostWriter, 'deletePost'>>(
  writer: Writer,
  removals: RecentRemovals,
): Writer => ({
  ...writer,
  async deletePost(command: Parameters<PostWriter['deletePost']>[0], deadline?: number) {
    const result = await writer.deletePost(command, deadline)
    if (result.outcome === 'deleted') removals.add(command.post)
    return result
  },
})

/** Notes each account whose content is deleted: between the commit of its deletion and the answer. */
export const notingAccounts = (
  deletion: ContentDeletion,
  removals: RecentRemovals,
): Pick<ContentDeletion, 'deleteContent'> => ({
  deleteContent(account, ...rest) {
    removals.add(account)
    return deletion.deleteContent(account, ...rest)
  },
})
