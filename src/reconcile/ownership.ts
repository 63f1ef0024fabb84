/** Documents that are deleted with their owner. The owner's tombstone exists until the sweep has deleted them. */
export type Ownership = {
  name: string
  owned: SweptCollection | UncountedCollection
  /** The field with the owner's id. An index must begin with it, or with the `_id` whose first member it is. */
  ownerField: string
  owner: Owner
  /** Another owner whose sweep deletes the document, too: until then, the document is no orphan. */
  other?: { owner: Owner; ownerField: string }
}

type Owner = 'post' | 'account'
type SweptCollection = 'reactions' | 'posts' | 'follows'
/** Documents that no other document counts: they are deleted by account, without a sweep. */
const uncounted = ['activity', 'devices', 'emails', 'idempotency', 'passkeys', 'secondFactors', 'sessions'] as const
export type UncountedCollection = (typeof uncounted)[number]

export const isUncounted = (owned: Ownership['owned']): owned is UncountedCollection =>
  uncounted.some((name) => name === owned)

export const ownerCollections = {
  post: { collection: 'posts', tombstones: 'removedPosts' },
  account: { collection: 'accounts', tombstones: 'removedAccounts' },
} as const

export const ownerships: readonly Ownership[] = [
  { name: 'reactions', owned: 'reactions', ownerField: 'post', owner: 'post' },
  {
    name: 'reactors',
    ...{ owned: 'reactions', ownerField: 'account', owner: 'account' },
    // The content deletion of an account leaves its reactions to deleted posts to the posts' sweep.
    other: { owner: 'post', ownerField: 'post' },
  },
  { name: 'authors', owned: 'posts', ownerField: 'author', owner: 'account' },
  { name: 'followers', owned: 'follows', ownerField: 'from', owner: 'account' },
  { name: 'following', owned: 'follows', ownerField: 'to', owner: 'account' },
  { name: 'sessions', owned: 'sessions', ownerField: 'account', owner: 'account' },
  { name: 'devices', owned: 'devices', ownerField: 'account', owner: 'account' },
  { name: 'passkeys', owned: 'passkeys', ownerField: 'account', owner: 'account' },
  { name: 'factors', owned: 'secondFactors', ownerField: '_id', owner: 'account' },
  { name: 'emails', owned: 'emails', ownerField: '_id', owner: 'account' },
  { name: 'activity', owned: 'activity', ownerField: 'account', owner: 'account' },
  { name: 'records', owned: 'idempotency', ownerField: '_id.account', owner: 'account' },
]
