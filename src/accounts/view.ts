import type { FollowStore } from '../follows/store.ts'
import type { Account } from './store.ts'

export async function viewAccount(
  { follows }: { follows: Pick<FollowStore, 'isFollowing'> },
  account: Account,
  viewer: string | undefined,
) {
  if (viewer === account.id) return viewOwn(account)
  return {
    ...account,
    viewer: viewer === undefined ? null : { following: await follows.isFollowing(viewer, account.id) },
  }
}

export const viewOwn = (account: Account) => ({ ...account, viewer: { following: false } })
