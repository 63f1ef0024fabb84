import { hostname, userInfo } from 'node:os'
import type { Collection, Db, UUID } from 'mongodb'
import { newId, timeOf, toUuid } from '../database/ids.ts'

/** Kept for good. `account` is null for a command that concerned all accounts. */
type AuditDocument = { _id: UUID; at: Date; user: string; host: string; command: string; account: UUID | null }

/** The operating system's user, or its number: a container's user often has no name. */
function currentUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.()}`
  }
}

/**
 * What operators did with `npm run accounts`. An entry is written before the command acts, so that no act lacks one. The
 * server's database user can add entries and neither read, change nor delete them.
 */
export function auditLog(db: Db) {
  const audit: Collection<AuditDocument> = db.collection('audit')
  return {
    /** @returns the entry as a line for people */
    async record(command: string, account: string | null): Promise<string> {
      const id = newId()
      const entry = { at: timeOf(id), user: currentUser(), host: hostname(), command }
      await audit.insertOne({ _id: toUuid(id), ...entry, account: account === null ? null : toUuid(account) })
      const { at, user, host } = entry
      return `Audit log: ${at.toISOString()} ${user} on ${host}: ${command}, ${account === null ? 'all accounts' : `account ${account}`}`
    },
  }
}
