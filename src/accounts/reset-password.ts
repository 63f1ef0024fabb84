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

/** How long a one-time password may wait for its login, in milliseconds. */
const usableFor = 86_400_000

// Crockford's base 32: none of them is taken for another when it is read out.
const letters = '0123456789abcdefghjkmnpqrstvwxyz'

/** 100 random bits, in four groups that can be read out. */
function oneTimePassword(): string {
  const group = () => Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join('')
  return [group(), group(), group(), group()].join('-')
}

/** How an operator's act stands in the activity of the account. */
const operator = { ip: '', userAgent: 'npm run accounts' }

/**
 * Gives an account a password that is good for one login within a day, and ends all of its sessions: for whoever has
 * lost the password or the account. The servers hear of it as they hear of every revocation.
 *
 * @returns undefined when nobody has this name.
 * @throws StartError when the servers hash with a pepper that is not among these.
 */
export async function resetPassword(client: MongoClient, database: string, username: string, hashing: Hashing) {
  const db = client.db(database)
  await demandPeppers(db, hashing.peppers)
  const transact = transactor(client)
  const sessions = sessionStore(db, revocations(db))
  const account = await accountStore(db, transact).idOf(username)
  if (account === undefined) return undefined
  const password = oneTimePassword()
  const hashed = await hashPassword(password, account, hashing)
  const until = new Date(Date.now() + usableFor)
  const ended = await transact(async (transaction) => {
    await credentialStore(db).reset(account, hashed, until, transaction)
    await deviceStore(db).forget(account, transaction)
    await activityStore(db).record(account, 'password-changed', operator, transaction)
    return sessions.endAll(account, transaction)
  })
  return { password, until, ended }
}
