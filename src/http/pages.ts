import { createHash } from 'node:crypto'
import { z } from 'zod'
import { invalid } from './problems.ts'

const cursorBytes = 24

function decodeBytes(cursor: string): Buffer | undefined {
  const bytes = Buffer.from(cursor, 'base64url')
  return bytes.length === cursorBytes && bytes.toString('base64url') === cursor ? bytes : undefined
}

export const PageQuery = z.strictObject({
  limit: z
    .string()
    .refine((digits) => /^([1-9]\d?|100)$/.test(digits), 'Must be a whole number from 1 to 100.')
    .optional()
    .transform((digits) => Number(digits ?? 20))
    .meta({ type: 'integer', minimum: 1, maximum: 100, default: 20, description: 'How many items to list.' }),
  cursor: z
    .string()
    .refine((text) => decodeBytes(text) !== undefined, 'Must be a nextCursor of this list.')
    .optional()
    .meta({ pattern: '^[A-Za-z0-9_-]{32}$', description: 'The nextCursor of the page before, with the same filter.' }),
})

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    nextCursor: z.string().nullable().describe('The cursor of the next page; null on the last one.'),
  })

/** Where a page starts: after the item with this key, which never changes while the item exists. */
export type Position = { after: string | undefined; limit: number }

// Identifies the list and filter. Cursors are not signed, because they grant nothing.
const tagOf = (list: string) => createHash('sha256').update(list).digest().subarray(0, 8)

function encodeCursor(list: string, key: string): string {
  return Buffer.concat([tagOf(list), Buffer.from(key.replaceAll('-', ''), 'hex')]).toString('base64url')
}

function decodeCursor(list: string, cursor: string): string {
  const bytes = decodeBytes(cursor)
  if (!bytes?.subarray(0, 8).equals(tagOf(list))) {
    throw invalid({ pointer: '/query/cursor', detail: 'Must be a nextCursor of this list and filter.' })
  }
  return bytes.toString('hex', 8).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** @throws Problem `validation` if the cursor does not decode or belongs to another list */
export function positionOf(list: string, query: z.infer<typeof PageQuery>): Position {
  return { after: query.cursor === undefined ? undefined : decodeCursor(list, query.cursor), limit: query.limit }
}

/** @param found - at most `limit + 1` items, newest first. @param keyOf - the immutable key by which the list is sorted */
export function pageFrom<T>(list: string, limit: number, found: readonly T[], keyOf: (item: T) => string) {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return { items, nextCursor: found.length > limit && last !== undefined ? encodeCursor(list, keyOf(last)) : null }
}

/** Reads all items of a list, each exactly once. `read` finds at most `limit + 1` items, as all lists do. */
export async function* allPages<T>(
  read: (position: Position) => Promise<T[]>,
  keyOf: (item: T) => string,
  size: number,
): AsyncGenerator<T[]> {
  for (let after: string | undefined; ; ) {
    const found = await read({ after, limit: size })
    const page = found.slice(0, size)
    const last = page.at(-1)
    if (last === undefined) return
    yield page
    if (found.length <= size) return
    after = keyOf(last)
  }
}
