import type { z } from 'zod'
import { forEach } from './arrivals.ts'
import type { Client } from './client.ts'
import type { Ledger } from './ledger.ts'
import type { Tally } from './tally.ts'
import { compareAccount, compareList, comparePost, compareReactions, type ExpectedPost } from './verification.ts'
import * as wire from './wire.ts'

/** Thrown when something could not be read, so that nothing can be said about it. */
export class Unreadable extends Error {}

const readersAtOnce = 32

/** How many things `readBack` reads, for the progress shown. */
export function readBackSize(ledger: Ledger): number {
  return ledger.posts.size + ledger.accounts.size + 1
}

/**
 * Reads everything the ledger knows of, without logging in, and returns the disagreements in plain words. Throws Unreadable
 * when the server does not let it finish.
 */
export async function readBack(client: Client, ledger: Ledger, tally: Tally, onRead: () => void): Promise<string[]> {
  const reader = new Reader(client, tally)
  const disagreements: string[] = []
  const names = new Map([...ledger.accounts].map(([robot, { username }]) => [robot, username]))
  const nameOf = (robot: number) => names.get(robot) ?? `robot ${robot}`
  let earliest: string | null = null

  await forEach(ledger.posts.values(), readersAtOnce, async (kept) => {
    const standings = new Map([...ledger.standings(kept.id)].map(([robot, standing]) => [nameOf(robot), standing]))
    const expected: ExpectedPost = { ...kept, username: nameOf(kept.author), standings }
    const post = await reader.read('read post', `/v1/posts/${kept.id}`, wire.post)
    disagreements.push(...comparePost(expected, post))
    if (post) {
      earliest = earliest === null || post.createdAt < earliest ? post.createdAt : earliest
      const reactors = await reader.list('read reactions', `/v1/posts/${kept.id}/reactions`, wire.reactor)
      disagreements.push(...compareReactions(expected, reactors, post.counts))
    }
    onRead()
  })

  const postsOf = Map.groupBy(ledger.posts.values(), (post) => post.author)
  await forEach(ledger.accounts.values(), readersAtOnce, async (kept) => {
    const posts = new Set(postsOf.get(kept.robot)?.map((post) => post.id))
    const lostTexts = ledger.lostTexts.get(kept.robot) ?? []
    const account = await reader.read('read account', `/v1/accounts/${kept.username}`, wire.account)
    const items = await reader.list('read list', `/v1/accounts/${kept.username}/posts`, wire.post)
    if (account)
      disagreements.push(...compareAccount({ ...kept, posts, lostTexts }, { count: account.counts.posts, items }))
    else disagreements.push(`account ${kept.username}: acknowledged, but not there.`)
    onRead()
  })

  // Newest first: what is older than the run's first post need not be read on a server with a long past.
  const isBefore = (post: wire.Post) => earliest === null || post.createdAt < earliest
  const everybodys = await reader.list('read list', '/v1/posts', wire.post, isBefore)
  disagreements.push(
    ...compareList(
      'the public list',
      new Set(ledger.posts.keys()),
      everybodys.map((post) => post.id),
    ),
  )
  onRead()
  return disagreements
}

class Reader {
  #client: Client
  #tally: Tally

  constructor(client: Client, tally: Tally) {
    this.#client = client
    this.#tally = tally
  }

  /** What is at a path, or null when nothing is. */
  async read<T extends z.ZodType>(action: string, path: string, schema: T): Promise<z.infer<T> | null> {
    const outcome = await this.#client.send({ action, method: 'GET', path })
    const parsed = outcome.status === 200 ? schema.safeParse(outcome.body) : null
    if (parsed?.success || outcome.status === 404) this.#tally.answered(action, outcome.ms)
    if (parsed?.success) return parsed.data
    if (outcome.status === 404) return null
    const reason = parsed ? 'an answer of another shape' : outcome.cause
    this.#tally.failed(action, reason)
    throw new Unreadable(`${path}: ${reason}`)
  }

  /** All items of a list, page by page, until one satisfies `enough`. */
  async list<T extends z.ZodType>(
    action: string,
    path: string,
    item: T,
    enough: (item: z.infer<T>) => boolean = () => false,
  ): Promise<z.infer<T>[]> {
    const items: z.infer<T>[] = []
    const cursors = new Set<string>()
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query: string = cursor && `&cursor=${encodeURIComponent(cursor)}`
      const page: { items: z.infer<T>[]; nextCursor: string | null } | null = await this.read(
        action,
        `${path}?limit=100${query}`,
        wire.page(item),
      )
      if (page === null) break
      items.push(...page.items)
      if (page.nextCursor !== null && cursors.has(page.nextCursor)) throw new Unreadable(`${path}: the list never ends`)
      cursors.add(page.nextCursor ?? '')
      cursor = page.items.some(enough) ? null : page.nextCursor
    }
    return items
  }
}
