import type { Db, MongoClient } from 'mongodb'
import { accountStore } from '../../accounts/store.ts'
import type { Config } from '../../config.ts'
import { transactor } from '../../database/transaction.ts'
import { emailStore } from '../../mail/emails.ts'
import { mailNotices } from '../../mail/notices.ts'
import { outboxStore } from '../../mail/outbox.ts'
import { auditLog } from '../../operations/audit-log.ts'

export type Operator = ReturnType<typeof operatorOn>

export type Target = { id: string; username: string }

/** A command of `npm run accounts` for one account. Resolves with the lines to print. */
export type AccountCommand = (operator: Operator, account: Target) => Promise<string[]>

/** The client in an account's activity for what an operator did. */
export const operatorClient = { ip: '', userAgent: 'npm run accounts' }

export function operatorOn(client: MongoClient, databaseName: string, config: Config, stop: AbortSignal) {
  const db: Db = client.db(databaseName)
  const transact = transactor(client)
  const emails = emailStore(db)
  return {
    accounts: accountStore(db, transact),
    audit: auditLog(db),
    client,
    config,
    databaseName,
    db,
    emails,
    // A running server sends them.
    notices: mailNotices({ emails, isOn: config.mail.kind !== 'none', outbox: outboxStore(db) }),
    stop,
    transact,
  }
}

export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

export const endedText = (count: number): string => `${counted(count, 'session')} ${count === 1 ? 'was' : 'were'} ended`
