import * as schemas from './api-schemas.ts'
import { forEachConcurrent } from './concurrency.ts'
import type { Ledger } from './ledger.ts'
import { maxConcurrentReads, type Reader } from './reader.ts'

/** The accounts (by robot) and posts (by id) that exist after the run. */
export type Existing = {
  accounts: Map<number, schemas.Account>
  posts: Map<string, schemas.Post>
  mismatches: string[]
}

/** Settles deletions without response, which every other comparison depends on. @throws Unreadable */
export async function resolveDeletions(reader: Reader, ledger: Ledger, onRead: () => void): Promise<Existing> {
  const existing: Existing = { accounts: new Map(), posts: new Map(), mismatches: [] }
  const { mismatches } = existing

  await forEachConcurrent(ledger.accounts.values(), maxConcurrentReads, async ({ robot, username }) => {
    const account = await reader.read('read account', `/v1/accounts/${username}`, schemas.account)
    const deletion = ledger.accountDeletions.get(robot)
    if (account) existing.accounts.set(robot, account)
    if (account && deletion === 'deleted') mismatches.push(`account ${username}: deleted, but still present.`)
    if (!account && deletion === undefined) mismatches.push(`account ${username}: acknowledged, but missing.`)
    onRead()
  })
  await forEachConcurrent(ledger.posts.values(), maxConcurrentReads, async ({ id, author }) => {
    const post = await reader.read('read post', `/v1/posts/${id}`, schemas.post)
    const authorExists = existing.accounts.has(author)
    const deletion = ledger.postDeletions.get(id)
    if (post) existing.posts.set(id, post)
    if (post && (deletion === 'deleted' || !authorExists)) mismatches.push(`post ${id}: deleted, but still present.`)
    if (!post && deletion === undefined && authorExists) mismatches.push(`post ${id}: acknowledged, but missing.`)
    onRead()
  })
  return existing
}
