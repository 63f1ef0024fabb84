/** Things that go with another, their owner, when it is removed: a mark says so until they have gone. */
export type Belonging = {
  name: string
  /** What they are, and their collection. */
  things: 'reactions' | 'posts' | 'follows'
  /** The field that names the owner. An index must begin with it. */
  by: string
  owner: 'post' | 'account'
}

/** Where owners are, and the marks of those that were removed. */
export const places = {
  post: { owners: 'posts', removed: 'removedPosts' },
  account: { owners: 'accounts', removed: 'removedAccounts' },
} as const

export const belongings: readonly Belonging[] = [
  { name: 'reactions', things: 'reactions', by: 'post', owner: 'post' },
  { name: 'reactors', things: 'reactions', by: 'account', owner: 'account' },
  { name: 'authors', things: 'posts', by: 'author', owner: 'account' },
  { name: 'followers', things: 'follows', by: 'from', owner: 'account' },
  { name: 'following', things: 'follows', by: 'to', owner: 'account' },
]
