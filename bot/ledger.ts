import { ExpectedStates } from './expected-state.ts'
import type { PostRef, Reaction } from './plan.ts'

export type LedgerPost = { id: string; author: number; text: string; createdAt: string; replyTo: string | null }

/** `postsBefore` and `newestBefore` are from before the run: an earlier run with the same seed has left posts too. */
export type LedgerAccount = { robot: number; username: string; postsBefore: number; newestBefore: string | null }

/** The outcome of a deletion: 'unknown' while its call runs, and for good when it got no response. */
export type DeletionOutcome = 'unknown' | 'deleted'

/** Records what the server acknowledged. Robots are identified by their index, targets by post id or username. */
export class Ledger {
  readonly accounts = new Map<number, LedgerAccount>()
  readonly posts = new Map<string, LedgerPost>()
  /** By author; the server may hold each of these texts once or not at all. */
  readonly unansweredTexts = new Map<number, string[]>()
  readonly reactions = new ExpectedStates<Reaction | null>(null)
  readonly follows = new ExpectedStates(false)
  /** Without the posts that an account deletion implies. */
  readonly postDeletions = new Map<string, DeletionOutcome>()
  readonly accountDeletions = new Map<number, DeletionOutcome>()
  #ids = new Map<string, string>()

  addAccount(account: LedgerAccount): void {
    this.accounts.set(account.robot, account)
  }

  addPost(ref: PostRef, post: Omit<LedgerPost, 'author'>): void {
    this.posts.set(post.id, { ...post, author: ref.author })
    this.#ids.set(keyOf(ref), post.id)
  }

  addUnansweredPost(author: number, text: string): void {
    this.unansweredTexts.set(author, [...(this.unansweredTexts.get(author) ?? []), text])
  }

  idOf(ref: PostRef): string | null {
    return this.#ids.get(keyOf(ref)) ?? null
  }

  /** Whether a 404 for this post is a valid response. */
  mayBeDeleted(post: string): boolean {
    const author = this.posts.get(post)?.author
    return this.postDeletions.has(post) || (author !== undefined && this.accountDeletions.has(author))
  }

  totals(): { posts: number; reactions: number; follows: number; deleted: number; unknown: number } {
    const [reactions, follows] = [this.reactions.totals(), this.follows.totals()]
    const unansweredPosts = [...this.unansweredTexts.values()].reduce((sum, texts) => sum + texts.length, 0)
    const deletions = [...this.postDeletions.values(), ...this.accountDeletions.values()]
    const unknownDeletions = deletions.filter((outcome) => outcome === 'unknown').length
    return {
      posts: this.posts.size,
      reactions: reactions.present,
      follows: follows.present,
      deleted: deletions.length - unknownDeletions,
      unknown: unansweredPosts + reactions.unknown + follows.unknown + unknownDeletions,
    }
  }
}

function keyOf(ref: PostRef): string {
  return `${ref.author}/${ref.post}`
}
