import type { ClientSession, Db } from 'mongodb'

export type BatchContext = {
  readonly db: Db
  readonly session: ClientSession
  /** The writer's slot: a small number that no other writer holds at the same time, and that is reused. */
  readonly writer: number
  isDeleted(account: string): boolean
}

export const unassignedWriter = 0

export const unfenced = (db: Db, session: ClientSession): BatchContext => ({
  db,
  session,
  writer: unassignedWriter,
  isDeleted: () => false,
})
