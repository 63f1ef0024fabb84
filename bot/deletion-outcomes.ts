import * as schemas from './api-schemas.ts'
import { forEachConcurrent } from './concurrency.ts'
import type { Ledger } from './ledger.ts'
import type { Reader } from './reader.ts'

const maxConcurrentReads = 32

/** What of the ledger is there: each account and post that is, as it was read. */
export type Found = { accounts: Map<number, schemas.Account>; posts: Map<string, schemas.Post>; mismatches: string[] }

/**
 * Reads every account and every post, and so finds what became of those whose removal had no answer; all else must be
 * as it was acknowledged. What hangs on them is compared after it.
 */
export async function resolveDeletions(reader: Reader, ledger: Ledger, onRead: () => void): Promise<Found> {
  const found: Found = { accounts: new Map(), posts: new Map(), mismatches: [] }
  const { mismatches } = found

  await forEachConcurrent(ledger.accounts.values(), maxConcurrentReads, async ({ robot, username }) => {
    const account = await reader.read('read account', `/v1/accounts/${username}`, schemas.account)
    const outcome = ledger.accountDeletions.get(robot)
    if (account) found.accounts.set(robot, account)
    if (account && outcome === 'deleted') mismatches.push(`account ${username}: deleted, but still there.`)
    if (!account && outcome === undefined) mismatches.push(`account ${username}: acknowledged, but not there.`)
    onRead()
  })
  await forEachConcurrent(ledger.posts.values(), maxConcurrentReads, async ({ id, author }) => {
    const post = await reader.read('read post', `/v1/posts/${id}`, schemas.post)
    const isAuthorThere = found.accounts.has(author)
    const outcome = ledger.postDeletions.get(id)
    if (post) found.posts.set(id, post)
    if (post && (outcome === 'deleted' || !isAuthorThere)) mismatches.push(`post ${id}: deleted, but still there.`)
    if (!post && outcome === undefined && isAuthorThere) mismatches.push(`post ${id}: acknowledged, but not there.`)
    onRead()
  })
  return found
}
