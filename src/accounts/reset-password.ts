import { randomInt } from 'node:crypto'
import type { MongoClient } from 'mongodb'
import { activityStore } from '../activity/store.ts'
import { demandPeppers } from '../credentials/check-peppers.ts'
import { type Hashing, hashPassword } from '../credentials/hashing.ts'
import { credentialStore } from '../credentials/store.ts'
import { transactor } from '../database/transaction.ts'
import { deviceStore } from '../sessions/devices.ts'
import { revocations } from '../sessions/revocation-cache.ts'
import { sessionStore } from '../sessions/store.ts'
import { accountStore } from './store.ts'

const validityMs = 86_400_000

// Crockford's base 32 without ambiguous letters.
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** 100 random bits, in four groups that are easy to read aloud. */
function generateOneTimePassword(): string {
  const group = () => Array.from({ length: 5 }, () => alphabet[randomInt(alphabet.length)]).join('')
  return [group(), group(), group(), group()].join('-')
}

const operatorClient = { ip: '', userAgent: 'npm run accounts' }

/**
 * Sets a one-time password and ends all sessions; returns undefined when no account has this username.
 * @throws StartError when the database has passwords hashed with a pepper that `hashing` lacks
 */
export async function resetPassword(client: MongoClient, database: string, username: string, hashing: Hashing) {
  const db = client.db(database)
  await demandPeppers(db, hashing.peppers)
  const transact = transactor(client)
  const sessions = sessionStore(db, revocations(db))
  const account = await accountStore(db, transact).idOf(username)
  if (account === undefined) return undefined
  const password = generateOneTimePassword()
  const hashed = await hashPassword(password, account, hashing)
  const expiresAt = new Date(Date.now() + validityMs)
  const endedSessions = await transact(async (transaction) => {
    await credentialStore(db).reset(account, hashed, expiresAt, transaction)
    await deviceStore(db).forget(account, transaction)
    await activityStore(db).record(account, 'password-changed', operatorClient, transaction)
    return sessions.endAll(account, transaction)
  })
  return { password, expiresAt, endedSessions }
}
