import type { z } from 'zod'
import * as schemas from './api-schemas.ts'
import type { Client } from './client.ts'
import { readPages } from './pages.ts'
import { unexpectedBody } from './session-client.ts'
import type { Stats } from './stats.ts'

export const maxConcurrentReads = 32

/** Thrown when a resource cannot be read, so that verification can neither confirm nor refute it. */
export class Unreadable extends Error {}

/** Reads public resources without a session. */
export class Reader {
  #client: Client
  #stats: Stats

  constructor(client: Client, stats: Stats) {
    this.#client = client
    this.#stats = stats
  }

  /** Resolves to null on 404. @throws Unreadable */
  async read<T extends z.ZodType>(action: string, path: string, schema: T): Promise<z.infer<T> | null> {
    const result = await this.#client.send({ action, method: 'GET', path })
    const parsed = result.status === 200 ? schema.safeParse(result.body) : null
    if (parsed?.success || result.status === 404) this.#stats.recordSuccess(action, result.ms)
    if (parsed?.success) return parsed.data
    if (result.status === 404) return null
    const reason = parsed ? unexpectedBody : result.cause
    this.#stats.recordFailure(action, reason)
    throw new Unreadable(`${path}: ${reason}`)
  }

  /** Reads a list through the first page with an item that satisfies `isLast`. @throws Unreadable */
  list<T extends z.ZodType>(
    action: string,
    path: string,
    item: T,
    isLast?: (item: z.infer<T>) => boolean,
  ): Promise<z.infer<T>[]> {
    const cursors = new Set<string>()
    return readPages(async (query) => {
      const page: { items: z.infer<T>[]; nextCursor: string | null } | null = await this.read(
        action,
        `${path}?${query}`,
        schemas.page(item),
      )
      const next = page?.nextCursor ?? null
      if (next !== null && cursors.has(next)) throw new Unreadable(`${path}: the pagination never ends`)
      if (next !== null) cursors.add(next)
      return page
    }, isLast)
  }
}
