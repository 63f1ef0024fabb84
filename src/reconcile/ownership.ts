/** Documents that are deleted with their owner. The owner's tombstone exists until the sweep has deleted them. */
export type Ownership = {
  name: string
  owned: 'reactions' | 'posts' | 'follows'
  /** The field with the owner's id. An index must begin with it. */
  ownerField: string
  owner: 'post' | 'account'
}

export const ownerCollections = {
  post: { collection: 'posts', tombstones: 'removedPosts' },
  account: { collection: 'accounts', tombstones: 'removedAccounts' },
} as const

export const ownerships: readonly Ownership[] = [
  { name: 'reactions', owned: 'reactions', ownerField: 'post', owner: 'post' },
  { name: 'reactors', owned: 'reactions', ownerField: 'account', owner: 'account' },
  { name: 'authors', owned: 'posts', ownerField: 'author', owner: 'account' },
  { name: 'followers', owned: 'follows', ownerField: 'from', owner: 'account' },
  { name: 'following', owned: 'follows', ownerField: 'to', owner: 'account' },
]
