import type { Account } from './store.ts'

/** An account as `viewer` is shown it: nobody follows anybody yet. */
export const viewAccount = (account: Account, viewer: string | undefined) => ({
  ...account,
  viewer: viewer === undefined ? null : { following: false },
})
