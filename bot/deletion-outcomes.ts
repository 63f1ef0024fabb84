import * as wire from './api-schemas.ts'
import { forEach } from './concurrency.ts'
import type { Ledger } from './ledger.ts'
import type { Reader } from './reader.ts'

const readersAtOnce = 32

/** What of the ledger is there: each account and post that is, as it was read. */
export type Found = { accounts: Map<number, wire.Account>; posts: Map<string, wire.Post>; disagreements: string[] }

/**
 * Reads every account and every post, and so finds what became of those whose removal had no answer; all else must be
 * as it was acknowledged. What hangs on them is compared after it.
 */
export async function findFates(reader: Reader, ledger: Ledger, onRead: () => void): Promise<Found> {
  const found: Found = { accounts: new Map(), posts: new Map(), disagreements: [] }
  const { disagreements } = found

  await forEach(ledger.accounts.values(), readersAtOnce, async ({ robot, username }) => {
    const account = await reader.read('read account', `/v1/accounts/${username}`, wire.account)
    const fate = ledger.departures.get(robot)
    if (account) found.accounts.set(robot, account)
    if (account && fate === 'gone') disagreements.push(`account ${username}: deleted, but still there.`)
    if (!account && fate === undefined) disagreements.push(`account ${username}: acknowledged, but not there.`)
    onRead()
  })
  await forEach(ledger.posts.values(), readersAtOnce, async ({ id, author }) => {
    const post = await reader.read('read post', `/v1/posts/${id}`, wire.post)
    const isAuthorThere = found.accounts.has(author)
    const fate = ledger.removals.get(id)
    if (post) found.posts.set(id, post)
    if (post && (fate === 'gone' || !isAuthorThere)) disagreements.push(`post ${id}: deleted, but still there.`)
    if (!post && fate === undefined && isAuthorThere) disagreements.push(`post ${id}: acknowledged, but not there.`)
    onRead()
  })
  return found
}
