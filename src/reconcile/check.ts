import type { ClientSession, Db, UUID } from 'mongodb'

/** A document whose counters differ from what they count, or an owner that does not exist. */
export type Drift = {
  id: UUID
  /** The size of the difference. */
  amount: number
  /** For the report. */
  description: string
  /** Whether the document that stores the counters does not exist. */
  isMissing?: boolean
}

/** `next` is the id after which the next chunk begins, null after the last. */
export type Chunk = { checked: number; drifts: Drift[]; next: UUID | null }

/** A check of a collection, in one walk from the lowest id to the highest. */
export type Check = {
  name: string
  /** Checks up to `size` documents in the session's snapshot. */
  read(db: Db, session: ClientSession, after: UUID, size: number): Promise<Chunk>
  /** Runs once before these drifts are fixed. */
  prepare(drifts: readonly Drift[]): Promise<void>
  /** @throws TransactionTimeoutError when concurrent writes keep conflicting */
  fix(drift: Drift): Promise<void>
}

/** How long the transaction of a fix is retried: longer than a request's, which a client waits for. */
export const fixTimeoutMs = 15_000
