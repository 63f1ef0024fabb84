import type { z } from 'zod'
import * as schemas from './api-schemas.ts'
import type { Client } from './client.ts'
import type { Stats } from './stats.ts'

/** Thrown when something could not be read, so that nothing can be said about it. */
export class Unreadable extends Error {}

/** Reads what everybody may read. */
export class Reader {
  #client: Client
  #stats: Stats

  constructor(client: Client, stats: Stats) {
    this.#client = client
    this.#stats = stats
  }

  /** What is at a path, or null when nothing is. */
  async read<T extends z.ZodType>(action: string, path: string, schema: T): Promise<z.infer<T> | null> {
    const outcome = await this.#client.send({ action, method: 'GET', path })
    const parsed = outcome.status === 200 ? schema.safeParse(outcome.body) : null
    if (parsed?.success || outcome.status === 404) this.#stats.recordSuccess(action, outcome.ms)
    if (parsed?.success) return parsed.data
    if (outcome.status === 404) return null
    const reason = parsed ? 'an answer of another shape' : outcome.cause
    this.#stats.recordFailure(action, reason)
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
        schemas.page(item),
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
