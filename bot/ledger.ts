import { Standings } from './expected-state.ts'
import type { Reaction, Target } from './plan.ts'

/** A post that the server acknowledged; `replyTo` is the id of the post that it answers. */
export type KeptPost = { id: string; author: number; text: string; createdAt: string; replyTo: string | null }

/** An account as it stood before the run, so that a second run with the same seed can tell its posts from older ones. */
export type KeptAccount = { robot: number; username: string; postsBefore: number; newestBefore: string | null }

/** What is known of something whose removal was begun. */
export type Fate = 'perhaps gone' | 'gone'

/** Keeps what the server acknowledged; verification compares the server with it. */
export class Ledger {
  readonly accounts = new Map<number, KeptAccount>()
  readonly posts = new Map<string, KeptPost>()
  /** Texts sent without an answer, by author: each may be there once or not at all. */
  readonly lostTexts = new Map<number, string[]>()
  /** By post. */
  readonly reactions = new Standings<Reaction | null>(null)
  /** By username: whether the robot follows. */
  readonly follows = new Standings(false)
  /** By post, and by robot: what was removed. Whose author left is not among them. */
  readonly removals = new Map<string, Fate>()
  readonly departures = new Map<number, Fate>()
  #ids = new Map<string, string>()

  arrived(account: KeptAccount): void {
    this.accounts.set(account.robot, account)
  }

  posted(place: Target, post: Omit<KeptPost, 'author'>): void {
    this.posts.set(post.id, { ...post, author: place.author })
    this.#ids.set(key(place), post.id)
  }

  postLost(author: number, text: string): void {
    this.lostTexts.set(author, [...(this.lostTexts.get(author) ?? []), text])
  }

  /** The id of the post at this place of the run, or null when it was never acknowledged. */
  idOf(place: Target): string | null {
    return this.#ids.get(key(place)) ?? null
  }

  /** Whether a post may be gone by now: it is nobody's fault then that it is not found. */
  mayBeGone(post: string): boolean {
    const author = this.posts.get(post)?.author
    return this.removals.has(post) || (author !== undefined && this.departures.has(author))
  }

  /** How much there is to compare: posts, reactions and follows that stand, and outcomes nobody knows. */
  totals(): { posts: number; reactions: number; follows: number; removed: number; unknown: number } {
    const [reactions, follows] = [this.reactions.totals(), this.follows.totals()]
    const lost = [...this.lostTexts.values()].reduce((sum, texts) => sum + texts.length, 0)
    const fates = [...this.removals.values(), ...this.departures.values()]
    const doubtful = fates.filter((fate) => fate === 'perhaps gone').length
    return {
      posts: this.posts.size,
      reactions: reactions.standing,
      follows: follows.standing,
      removed: fates.length - doubtful,
      unknown: lost + reactions.unknown + follows.unknown + doubtful,
    }
  }
}

function key(place: Target): string {
  return `${place.author}/${place.post}`
}
