import type { Parts } from '../context.ts'
import type { Account } from './store.ts'

/** An account as `viewer` is shown it. */
export async function viewAccount({ follows }: Pick<Parts, 'follows'>, account: Account, viewer: string | undefined) {
  if (viewer === account.id) return viewOwn(account)
  return {
    ...account,
    viewer: viewer === undefined ? null : { following: await follows.isFollowing(viewer, account.id) },
  }
}

/** An account as it is shown to itself: nobody follows themselves. */
export const viewOwn = (account: Account) => ({ ...account, viewer: { following: false } })
