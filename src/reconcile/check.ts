import type { ClientSession, Db, UUID } from 'mongodb'

/** One thing whose numbers are not what its documents say. */
export type Drift = {
  id: UUID
  /** by how much */
  amount: number
  /** for people */
  words: string
  /** Whether there is no document that could keep its counters. */
  missing?: boolean
}

/** @property next - after which id the next chunk begins; null after the last. */
export type Chunk = { checked: number; drifts: Drift[]; next: UUID | null }

/** What is checked in one walk from the first id to the last. */
export type Check = {
  name: string
  /** Looks at so many things at most, all in the session's snapshot. */
  read(db: Db, session: ClientSession, after: UUID, size: number): Promise<Chunk>
  /** What must be before these can be made right. */
  prepare(drifts: readonly Drift[]): Promise<void>
  /**
   * Makes one right.
   * @throws TransactionTimeoutError when others write to it without a pause.
   */
  fix(drift: Drift): Promise<void>
}

/** How long a transaction that makes something right is tried, in milliseconds: nobody's request waits for it. */
export const fixPatience = 15_000
