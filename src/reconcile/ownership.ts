/** Things that go with another, their owner, when it is removed: a mark says so until they have gone. */
export type Ownership = {
  name: string
  /** What they are, and their collection. */
  owned: 'reactions' | 'posts' | 'follows'
  /** The field that names the owner. An index must begin with it. */
  ownerField: string
  owner: 'post' | 'account'
}

/** Where owners are, and the marks of those that were removed. */
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
