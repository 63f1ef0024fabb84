import type { Reaction, Target } from './plan.ts'

/** A post that the server acknowledged. */
export type KeptPost = { id: string; author: number; text: string }

/** An account as it stood before the run, so that a second run with the same seed can tell its posts from older ones. */
export type KeptAccount = { robot: number; username: string; postsBefore: number; newestBefore: string | null }

/**
 * What may stand between one robot and one post. `acknowledged` is the server's last word; `perhaps` holds what was asked
 * for without an answer: there either outcome is right.
 */
export type Standing = { acknowledged: Reaction | null; perhaps: Set<Reaction | null> }

/** How an action without an answer may still come to pass: already, or even after later ones of the same robot. */
export type Doubt = 'perhaps done' | 'perhaps later'

/** Keeps what the server acknowledged; verification compares the server with it. */
export class Ledger {
  readonly accounts = new Map<number, KeptAccount>()
  readonly posts = new Map<string, KeptPost>()
  /** Texts sent without an answer, by author: each may be there once or not at all. */
  readonly lostTexts = new Map<number, string[]>()
  #ids = new Map<string, string>()
  #standings = new Map<string, Map<number, Standing & { later: Set<Reaction | null> }>>()

  arrived(account: KeptAccount): void {
    this.accounts.set(account.robot, account)
  }

  posted(place: Target, id: string, text: string): void {
    this.posts.set(id, { id, author: place.author, text })
    this.#ids.set(key(place), id)
  }

  postLost(author: number, text: string): void {
    this.lostTexts.set(author, [...(this.lostTexts.get(author) ?? []), text])
  }

  /** The id of the post at this place of the run, or null when it was never acknowledged. */
  idOf(place: Target): string | null {
    return this.#ids.get(key(place)) ?? null
  }

  /** `doubt` is for an attempt before the acknowledged one that may still be carried out later. */
  reacted(robot: number, post: string, value: Reaction | null, doubt: Doubt | null): void {
    const standing = this.#standing(robot, post)
    if (doubt === 'perhaps later') standing.later.add(value)
    standing.acknowledged = value
    standing.perhaps = new Set(standing.later)
    standing.perhaps.delete(value)
  }

  reactionLost(robot: number, post: string, value: Reaction | null, doubt: Doubt): void {
    const standing = this.#standing(robot, post)
    if (doubt === 'perhaps later') standing.later.add(value)
    if (value !== standing.acknowledged) standing.perhaps.add(value)
  }

  /** Who may have reacted to a post, by robot. */
  standings(post: string): ReadonlyMap<number, Standing> {
    return this.#standings.get(post) ?? new Map()
  }

  /** How much there is to compare: posts, reactions that stand, and outcomes nobody knows. */
  totals(): { posts: number; reactions: number; unknown: number } {
    const all = [...this.#standings.values()].flatMap((standings) => [...standings.values()])
    const lost = [...this.lostTexts.values()].reduce((sum, texts) => sum + texts.length, 0)
    return {
      posts: this.posts.size,
      reactions: all.filter((standing) => standing.acknowledged !== null).length,
      unknown: lost + all.filter((standing) => standing.perhaps.size > 0).length,
    }
  }

  #standing(robot: number, post: string) {
    const standings = this.#standings.get(post) ?? new Map()
    this.#standings.set(post, standings)
    const standing = standings.get(robot) ?? { acknowledged: null, perhaps: new Set(), later: new Set() }
    standings.set(robot, standing)
    return standing
  }
}

function key(place: Target): string {
  return `${place.author}/${place.post}`
}
