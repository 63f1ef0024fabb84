import * as schemas from './api-schemas.ts'
import type { Client } from './client.ts'
import { compareAccount, compareList, comparePost, compareReactions, type ExpectedPost } from './compare.ts'
import { compareFollows, compareReplies } from './compare-lists.ts'
import { forEachConcurrent } from './concurrency.ts'
import { type Found, resolveDeletions } from './deletion-outcomes.ts'
import type { ExpectedState } from './expected-state.ts'
import type { Ledger, LedgerAccount, LedgerPost } from './ledger.ts'
import { Reader } from './reader.ts'
import type { Stats } from './stats.ts'

const maxConcurrentReads = 32

/** How many things `verify` reads, for the progress shown. */
export function verificationSteps(ledger: Ledger): number {
  return 2 * ledger.posts.size + 2 * ledger.accounts.size + 1
}

/**
 * Reads everything the ledger knows of, without logging in, and returns the mismatches in plain words. Throws Unreadable
 * when the server does not let it finish.
 */
export async function verify(client: Client, ledger: Ledger, stats: Stats, onRead: () => void): Promise<string[]> {
  const reader = new Reader(client, stats)
  const found = await resolveDeletions(reader, ledger, onRead)
  const audit = new Audit(reader, ledger, found)

  await forEachConcurrent(ledger.posts.values(), maxConcurrentReads, async (kept) => {
    const post = found.posts.get(kept.id)
    if (post) await audit.post(kept, post)
    onRead()
  })
  await forEachConcurrent(ledger.accounts.values(), maxConcurrentReads, async (kept) => {
    const account = found.accounts.get(kept.robot)
    if (account) await audit.account(kept, account)
    onRead()
  })
  await audit.publicList()
  onRead()
  return audit.mismatches
}

/** Compares what is there with what the ledger says must be there. */
class Audit {
  readonly mismatches: string[]
  #reader: Reader
  #ledger: Ledger
  #found: Found
  #standing: LedgerPost[]
  #postsOf: Map<number, LedgerPost[]>
  #repliesTo: Map<string | null, LedgerPost[]>
  #robots: Map<string, number>

  constructor(reader: Reader, ledger: Ledger, found: Found) {
    this.#reader = reader
    this.#ledger = ledger
    this.#found = found
    this.mismatches = found.mismatches
    this.#standing = [...ledger.posts.values()].filter(({ id }) => found.posts.has(id))
    this.#postsOf = Map.groupBy(this.#standing, ({ author }) => author)
    this.#repliesTo = Map.groupBy(this.#standing, ({ replyTo }) => replyTo)
    this.#robots = new Map([...ledger.accounts].map(([robot, { username }]) => [username, robot]))
  }

  /** A post with who reacted to it, and the replies to it. */
  async post(kept: LedgerPost, seen: schemas.Post): Promise<void> {
    const standings = this.#byName(this.#ledger.reactions.of(kept.id))
    const expected: ExpectedPost = { ...kept, username: this.#nameOf(kept.author), standings }
    const reactors = await this.#reader.list('read reactions', `/v1/posts/${kept.id}/reactions`, schemas.reactor)
    this.mismatches.push(...comparePost(expected, seen), ...compareReactions(expected, reactors, seen.counts))
    if (seen.counts.replies === 0 && !this.#repliesTo.has(kept.id)) return
    const replies = {
      must: idsOf(this.#repliesTo.get(kept.id)),
      may: new Set<string>(),
      unansweredTexts: [...this.#ledger.unansweredTexts.values()].flat(),
    }
    const items = await this.#reader.list('read replies', `/v1/posts/${kept.id}/replies`, schemas.post)
    const list = `the replies to ${kept.id}`
    this.mismatches.push(...compareReplies(list, replies, { count: seen.counts.replies, items }))
  }

  /** An account with its list of posts, and who follows whom. */
  async account(kept: LedgerAccount, seen: schemas.Account): Promise<void> {
    const { robot, username } = kept
    const posts = idsOf(this.#postsOf.get(robot))
    const unansweredTexts = this.#ledger.unansweredTexts.get(robot) ?? []
    const items = await this.#reader.list('read list', `/v1/accounts/${username}/posts`, schemas.post)
    this.mismatches.push(...compareAccount({ ...kept, posts, unansweredTexts }, { count: seen.counts.posts, items }))

    const isOurs = (name: string) => this.#robots.has(name)
    const following = new Map([...this.#ledger.follows.by(robot)].filter(([name]) => this.#isThere(name)))
    const followers = this.#byName(this.#ledger.follows.of(username))
    for (const [what, expected] of [['following', following] as const, ['followers', followers] as const]) {
      const list = await this.#reader.list('read follows', `/v1/accounts/${username}/${what}`, schemas.account)
      const names = { count: seen.counts[what], usernames: list.map((account) => account.username) }
      this.mismatches.push(...compareFollows(`${what} of ${username}`, expected, names, isOurs))
    }
  }

  /** Newest first: what is older than the run's first post need not be read on a server with a long past. */
  async publicList(): Promise<void> {
    const earliest = [...this.#ledger.posts.values()].map(({ createdAt }) => createdAt).sort()[0]
    const isBefore = (post: schemas.Post) => earliest === undefined || post.createdAt < earliest
    const list = await this.#reader.list('read list', '/v1/posts', schemas.post, isBefore)
    const seen = list.map(({ id }) => id)
    const roots = idsOf(this.#repliesTo.get(null))
    this.mismatches.push(...compareList('the public list', roots, seen))
    for (const id of seen)
      if (this.#ledger.posts.has(id) && !roots.has(id))
        this.mismatches.push(`the public list: shows ${id}, which is a reply or was deleted.`)
  }

  /** Whoever is no account of this run is somebody else's business. */
  #isThere(username: string): boolean {
    const robot = this.#robots.get(username)
    return robot === undefined || this.#found.accounts.has(robot)
  }

  /** Nothing stands of those who are gone: that it was acknowledged before does not matter. */
  #byName<Value>(standings: ReadonlyMap<number, ExpectedState<Value>>): Map<string, ExpectedState<Value>> {
    const there = [...standings].filter(([robot]) => this.#found.accounts.has(robot))
    return new Map(there.map(([robot, standing]) => [this.#nameOf(robot), standing]))
  }

  #nameOf(robot: number): string {
    return this.#ledger.accounts.get(robot)?.username ?? `robot ${robot}`
  }
}

const idsOf = (posts: readonly LedgerPost[] = []): Set<string> => new Set(posts.map(({ id }) => id))
