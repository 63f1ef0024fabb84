export type StoredReaction = { post: string; account: string; value: string }
export type StoredCounts = { post: string; likes: number; dislikes: number }

/** What a server has stored, read past it from its database. */
export type Stored = {
  countPosts(): Promise<number>
  /** The sum of the accounts' counts of posts; undefined where they have none. */
  sumOfPostCounts(): Promise<number | undefined>
  reactions(): Promise<StoredReaction[]>
  counts(): Promise<StoredCounts[]>
  close(): Promise<void>
}
