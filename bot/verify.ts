import * as schemas from './api-schemas.ts'
import type { Client } from './client.ts'
import { compareAccount, compareList, comparePost, compareReactions, type ExpectedPost } from './compare.ts'
import { compareFollows, compareReplies } from './compare-lists.ts'
import { forEachConcurrent } from './concurrency.ts'
import { type Existing, resolveDeletions } from './deletion-outcomes.ts'
import type { ExpectedState } from './expected-state.ts'
import type { Ledger, LedgerAccount, LedgerPost } from './ledger.ts'
import { maxConcurrentReads, Reader, Unreadable } from './reader.ts'
import type { Stats } from './stats.ts'

export type Verification = { outcome: 'complete'; mismatches: string[] } | { outcome: 'incomplete'; reason: string }

/** How often `verify` calls `onRead`, for the progress display. */
export function verificationSteps(ledger: Ledger): number {
  return 2 * ledger.posts.size + 2 * ledger.accounts.size + 1
}

/** Reads everything the ledger knows, without a session, and compares it. */
export async function verify(client: Client, ledger: Ledger, stats: Stats, onRead: () => void): Promise<Verification> {
  try {
    return { outcome: 'complete', mismatches: await findMismatches(new Reader(client, stats), ledger, onRead) }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { outcome: 'incomplete', reason: error.message }
  }
}

async function findMismatches(reader: Reader, ledger: Ledger, onRead: () => void): Promise<string[]> {
  const existing = await resolveDeletions(reader, ledger, onRead)
  const verifier = new Verifier(reader, ledger, existing)

  await forEachConcurrent(ledger.posts.values(), maxConcurrentReads, async (expected) => {
    const post = existing.posts.get(expected.id)
    if (post) await verifier.verifyPost(expected, post)
    onRead()
  })
  await forEachConcurrent(ledger.accounts.values(), maxConcurrentReads, async (expected) => {
    const account = existing.accounts.get(expected.robot)
    if (account) await verifier.verifyAccount(expected, account)
    onRead()
  })
  await verifier.verifyPublicList()
  onRead()
  return verifier.mismatches
}

class Verifier {
  readonly mismatches: string[]
  #reader: Reader
  #ledger: Ledger
  #existing: Existing
  #postsByAuthor: Map<number, LedgerPost[]>
  #postsByParent: Map<string | null, LedgerPost[]>
  #robots: Map<string, number>

  constructor(reader: Reader, ledger: Ledger, existing: Existing) {
    this.#reader = reader
    this.#ledger = ledger
    this.#existing = existing
    this.mismatches = existing.mismatches
    const posts = [...ledger.posts.values()].filter(({ id }) => existing.posts.has(id))
    this.#postsByAuthor = Map.groupBy(posts, ({ author }) => author)
    this.#postsByParent = Map.groupBy(posts, ({ replyTo }) => replyTo)
    this.#robots = new Map([...ledger.accounts].map(([robot, { username }]) => [username, robot]))
  }

  async verifyPost(post: LedgerPost, actual: schemas.Post): Promise<void> {
    const reactions = this.#ofExistingRobots(this.#ledger.reactions.ofTarget(post.id))
    const expected: ExpectedPost = { ...post, username: this.#usernameOf(post.author), reactions }
    const reactors = await this.#reader.list('list reactions', `/v1/posts/${post.id}/reactions`, schemas.reactor)
    this.mismatches.push(...comparePost(expected, actual), ...compareReactions(expected, reactors, actual.counts))
    if (actual.counts.replies === 0 && !this.#postsByParent.has(post.id)) return
    const replies = {
      required: idsOf(this.#postsByParent.get(post.id)),
      allowed: new Set<string>(),
      unansweredTexts: [...this.#ledger.unansweredTexts.values()].flat(),
    }
    const items = await this.#reader.list('list replies', `/v1/posts/${post.id}/replies`, schemas.post)
    const list = `the replies to ${post.id}`
    this.mismatches.push(...compareReplies(list, replies, { count: actual.counts.replies, items }))
  }

  async verifyAccount(account: LedgerAccount, actual: schemas.Account): Promise<void> {
    const { robot, username } = account
    const posts = idsOf(this.#postsByAuthor.get(robot))
    const unansweredTexts = this.#ledger.unansweredTexts.get(robot) ?? []
    const items = await this.#reader.list('list posts', `/v1/accounts/${username}/posts`, schemas.post)
    const expected = { ...account, posts, unansweredTexts }
    this.mismatches.push(...compareAccount(expected, { count: actual.counts.posts, items }))

    const isOfRun = (name: string) => this.#robots.has(name)
    const following = new Map([...this.#ledger.follows.ofRobot(robot)].filter(([name]) => this.#mayExist(name)))
    const followers = this.#ofExistingRobots(this.#ledger.follows.ofTarget(username))
    for (const [name, states] of [['following', following] as const, ['followers', followers] as const]) {
      const list = await this.#reader.list('list follows', `/v1/accounts/${username}/${name}`, schemas.account)
      const listed = { count: actual.counts[name], usernames: list.map((account) => account.username) }
      this.mismatches.push(...compareFollows(`${name} of ${username}`, states, listed, isOfRun))
    }
  }

  /** Stops at posts older than the run: a server in use may list millions. */
  async verifyPublicList(): Promise<void> {
    const earliest = [...this.#ledger.posts.values()].map(({ createdAt }) => createdAt).sort()[0]
    const isOlder = (post: schemas.Post) => earliest === undefined || post.createdAt < earliest
    const list = await this.#reader.list('list posts', '/v1/posts', schemas.post, isOlder)
    const ids = list.map(({ id }) => id)
    const roots = idsOf(this.#postsByParent.get(null))
    this.mismatches.push(...compareList('the public list', roots, ids))
    for (const id of ids)
      if (this.#ledger.posts.has(id) && !roots.has(id))
        this.mismatches.push(`the public list: contains ${id}, which is a reply or was deleted.`)
  }

  /** Accounts of other runs count as existing: this run never deletes them. */
  #mayExist(username: string): boolean {
    const robot = this.#robots.get(username)
    return robot === undefined || this.#existing.accounts.has(robot)
  }

  /** By username. The deletion of an account removes its states, even acknowledged ones. */
  #ofExistingRobots<Value>(states: ReadonlyMap<number, ExpectedState<Value>>): Map<string, ExpectedState<Value>> {
    const existing = [...states].filter(([robot]) => this.#existing.accounts.has(robot))
    return new Map(existing.map(([robot, state]) => [this.#usernameOf(robot), state]))
  }

  #usernameOf(robot: number): string {
    return this.#ledger.accounts.get(robot)?.username ?? `robot ${robot}`
  }
}

const idsOf = (posts: readonly LedgerPost[] = []): Set<string> => new Set(posts.map(({ id }) => id))
