import { ExpectedStates } from './expected-state.ts'
import type { PostRef, Reaction } from './plan.ts'

/** A post that the server acknowledged; `replyTo` is the id of the post that it answers. */
export type LedgerPost = { id: string; author: number; text: string; createdAt: string; replyTo: string | null }

/** An account as it stood before the run, so that a second run with the same seed can tell its posts from older ones. */
export type LedgerAccount = { robot: number; username: string; postsBefore: number; newestBefore: string | null }

/** What is known of something whose removal was begun. */
export type DeletionOutcome = 'unknown' | 'deleted'

/** Keeps what the server acknowledged; verification compares the server with it. */
export class Ledger {
  readonly accounts = new Map<number, LedgerAccount>()
  readonly posts = new Map<string, LedgerPost>()
  /** Texts sent without an answer, by author: each may be there once or not at all. */
  readonly unansweredTexts = new Map<number, string[]>()
  /** By post. */
  readonly reactions = new ExpectedStates<Reaction | null>(null)
  /** By username: whether the robot follows. */
  readonly follows = new ExpectedStates(false)
  /** By post, and by robot: what was removed. Whose author left is not among them. */
  readonly postDeletions = new Map<string, DeletionOutcome>()
  readonly accountDeletions = new Map<number, DeletionOutcome>()
  #ids = new Map<string, string>()

  addAccount(account: LedgerAccount): void {
    this.accounts.set(account.robot, account)
  }

  addPost(place: PostRef, post: Omit<LedgerPost, 'author'>): void {
    this.posts.set(post.id, { ...post, author: place.author })
    this.#ids.set(key(place), post.id)
  }

  addUnansweredPost(author: number, text: string): void {
    this.unansweredTexts.set(author, [...(this.unansweredTexts.get(author) ?? []), text])
  }

  /** The id of the post at this place of the run, or null when it was never acknowledged. */
  idOf(place: PostRef): string | null {
    return this.#ids.get(key(place)) ?? null
  }

  /** Whether a post may be gone by now: it is nobody's fault then that it is not found. */
  mayBeDeleted(post: string): boolean {
    const author = this.posts.get(post)?.author
    return this.postDeletions.has(post) || (author !== undefined && this.accountDeletions.has(author))
  }

  /** How much there is to compare: posts, reactions and follows that stand, and outcomes nobody knows. */
  totals(): { posts: number; reactions: number; follows: number; deleted: number; unknown: number } {
    const [reactions, follows] = [this.reactions.totals(), this.follows.totals()]
    const lost = [...this.unansweredTexts.values()].reduce((sum, texts) => sum + texts.length, 0)
    const outcomes = [...this.postDeletions.values(), ...this.accountDeletions.values()]
    const doubtful = outcomes.filter((outcome) => outcome === 'unknown').length
    return {
      posts: this.posts.size,
      reactions: reactions.standing,
      follows: follows.standing,
      deleted: outcomes.length - doubtful,
      unknown: lost + reactions.unknown + follows.unknown + doubtful,
    }
  }
}

function key(place: PostRef): string {
  return `${place.author}/${place.post}`
}
