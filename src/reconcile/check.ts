import type { ClientSession, Db, UUID } from 'mongodb'

/** A document whose counters differ from what they count, or an owner that does not exist. */
export type Drift = {
  id: UUID
  amount: number
  description: string
  isMissing?: boolean
}

export type Chunk = { checked: number; drifts: Drift[]; next: UUID | null }

export type Check = {
  name: string
  chunkSize?: number
  read(db: Db, session: ClientSession, after: UUID, size: number): Promise<Chunk>
  prepare(drifts: readonly Drift[]): Promise<void>
  /** @throws TransactionTimeoutError when concurrent writes keep conflicting */
  fix(drift: Drift): Promise<void>
}

/** How long the transaction of a fix is retried: longer than a request's, which a client waits for. */
export const fixTimeoutMs = 15_000
