import * as wire from './api-schemas.ts'
import type { Client } from './client.ts'
import { compareAccount, compareList, comparePost, compareReactions, type ExpectedPost } from './compare.ts'
import { compareFollows, compareReplies } from './compare-lists.ts'
import { forEach } from './concurrency.ts'
import { type Found, findFates } from './deletion-outcomes.ts'
import type { Standing } from './expected-state.ts'
import type { KeptAccount, KeptPost, Ledger } from './ledger.ts'
import { Reader } from './reader.ts'
import type { Tally } from './stats.ts'

const readersAtOnce = 32

/** How many things `readBack` reads, for the progress shown. */
export function readBackSize(ledger: Ledger): number {
  return 2 * ledger.posts.size + 2 * ledger.accounts.size + 1
}

/**
 * Reads everything the ledger knows of, without logging in, and returns the disagreements in plain words. Throws Unreadable
 * when the server does not let it finish.
 */
export async function readBack(client: Client, ledger: Ledger, tally: Tally, onRead: () => void): Promise<string[]> {
  const reader = new Reader(client, tally)
  const found = await findFates(reader, ledger, onRead)
  const audit = new Audit(reader, ledger, found)

  await forEach(ledger.posts.values(), readersAtOnce, async (kept) => {
    const post = found.posts.get(kept.id)
    if (post) await audit.post(kept, post)
    onRead()
  })
  await forEach(ledger.accounts.values(), readersAtOnce, async (kept) => {
    const account = found.accounts.get(kept.robot)
    if (account) await audit.account(kept, account)
    onRead()
  })
  await audit.publicList()
  onRead()
  return audit.disagreements
}

/** Compares what is there with what the ledger says must be there. */
class Audit {
  readonly disagreements: string[]
  #reader: Reader
  #ledger: Ledger
  #found: Found
  #standing: KeptPost[]
  #postsOf: Map<number, KeptPost[]>
  #repliesTo: Map<string | null, KeptPost[]>
  #robots: Map<string, number>

  constructor(reader: Reader, ledger: Ledger, found: Found) {
    this.#reader = reader
    this.#ledger = ledger
    this.#found = found
    this.disagreements = found.disagreements
    this.#standing = [...ledger.posts.values()].filter(({ id }) => found.posts.has(id))
    this.#postsOf = Map.groupBy(this.#standing, ({ author }) => author)
    this.#repliesTo = Map.groupBy(this.#standing, ({ replyTo }) => replyTo)
    this.#robots = new Map([...ledger.accounts].map(([robot, { username }]) => [username, robot]))
  }

  /** A post with who reacted to it, and the replies to it. */
  async post(kept: KeptPost, seen: wire.Post): Promise<void> {
    const standings = this.#byName(this.#ledger.reactions.of(kept.id))
    const expected: ExpectedPost = { ...kept, username: this.#nameOf(kept.author), standings }
    const reactors = await this.#reader.list('read reactions', `/v1/posts/${kept.id}/reactions`, wire.reactor)
    this.disagreements.push(...comparePost(expected, seen), ...compareReactions(expected, reactors, seen.counts))
    if (seen.counts.replies === 0 && !this.#repliesTo.has(kept.id)) return
    const replies = {
      must: idsOf(this.#repliesTo.get(kept.id)),
      may: new Set<string>(),
      lostTexts: [...this.#ledger.lostTexts.values()].flat(),
    }
    const items = await this.#reader.list('read replies', `/v1/posts/${kept.id}/replies`, wire.post)
    const list = `the replies to ${kept.id}`
    this.disagreements.push(...compareReplies(list, replies, { count: seen.counts.replies, items }))
  }

  /** An account with its list of posts, and who follows whom. */
  async account(kept: KeptAccount, seen: wire.Account): Promise<void> {
    const { robot, username } = kept
    const posts = idsOf(this.#postsOf.get(robot))
    const lostTexts = this.#ledger.lostTexts.get(robot) ?? []
    const items = await this.#reader.list('read list', `/v1/accounts/${username}/posts`, wire.post)
    this.disagreements.push(...compareAccount({ ...kept, posts, lostTexts }, { count: seen.counts.posts, items }))

    const isOurs = (name: string) => this.#robots.has(name)
    const following = new Map([...this.#ledger.follows.by(robot)].filter(([name]) => this.#isThere(name)))
    const followers = this.#byName(this.#ledger.follows.of(username))
    for (const [what, expected] of [['following', following] as const, ['followers', followers] as const]) {
      const list = await this.#reader.list('read follows', `/v1/accounts/${username}/${what}`, wire.account)
      const names = { count: seen.counts[what], usernames: list.map((account) => account.username) }
      this.disagreements.push(...compareFollows(`${what} of ${username}`, expected, names, isOurs))
    }
  }

  /** Newest first: what is older than the run's first post need not be read on a server with a long past. */
  async publicList(): Promise<void> {
    const earliest = [...this.#ledger.posts.values()].map(({ createdAt }) => createdAt).sort()[0]
    const isBefore = (post: wire.Post) => earliest === undefined || post.createdAt < earliest
    const list = await this.#reader.list('read list', '/v1/posts', wire.post, isBefore)
    const seen = list.map(({ id }) => id)
    const roots = idsOf(this.#repliesTo.get(null))
    this.disagreements.push(...compareList('the public list', roots, seen))
    for (const id of seen)
      if (this.#ledger.posts.has(id) && !roots.has(id))
        this.disagreements.push(`the public list: shows ${id}, which is a reply or was deleted.`)
  }

  /** Whoever is no account of this run is somebody else's business. */
  #isThere(username: string): boolean {
    const robot = this.#robots.get(username)
    return robot === undefined || this.#found.accounts.has(robot)
  }

  /** Nothing stands of those who are gone: that it was acknowledged before does not matter. */
  #byName<Value>(standings: ReadonlyMap<number, Standing<Value>>): Map<string, Standing<Value>> {
    const there = [...standings].filter(([robot]) => this.#found.accounts.has(robot))
    return new Map(there.map(([robot, standing]) => [this.#nameOf(robot), standing]))
  }

  #nameOf(robot: number): string {
    return this.#ledger.accounts.get(robot)?.username ?? `robot ${robot}`
  }
}

const idsOf = (posts: readonly KeptPost[] = []): Set<string> => new Set(posts.map(({ id }) => id))
