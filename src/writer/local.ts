import type { Db } from 'mongodb'
import type { Transact } from '../database/transaction.ts'
import { type Entry, keyOf, makeWriter, perhapsWritten, type Writer, writeEntries } from '../write-operations.ts'
import { type GroupCommit, groupCommit } from './group-commit.ts'

/** The group commit of all that is written in batches: one for a machine, if it can be. */
export const commitEntries = (db: Db, transact: Transact): GroupCommit<Entry, unknown> =>
  groupCommit({
    transact,
    write: writeEntries(db),
    sizeOf: (entry) => JSON.stringify(entry).length,
    keyOf,
    perhapsWritten,
  })

/** Writes in this process. */
export function localWriter(db: Db, transact: Transact): Writer {
  const { submit } = commitEntries(db, transact)
  return makeWriter((entry) => submit(entry))
}
