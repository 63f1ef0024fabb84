import { activityStore } from '../../activity/store.ts'
import { credentialStore } from '../../credentials/store.ts'
import { deviceStore } from '../../sessions/devices.ts'
import { revocationCache } from '../../sessions/revocation-cache.ts'
import { sessionStore } from '../../sessions/store.ts'
import { type AccountCommand, endedText, operatorClient } from './command.ts'

export const suspendCommand: AccountCommand = async ({ db, notices, transact }, { id }) => {
  const at = new Date()
  const credentials = credentialStore(db)
  const sessions = sessionStore(db, revocationCache(db))
  const { outcome, count } = await transact(async (transaction) => {
    const { count } = await sessions.endAll(id, transaction)
    const { outcome } = await credentials.suspend(id, at, transaction)
    if (outcome === 'not-found') return { outcome, count: 0 }
    if (outcome === 'suspended') await activityStore(db, notices).record(id, 'suspended', operatorClient, transaction)
    await deviceStore(db).endTrust(id, transaction)
    return { outcome, count }
  })
  if (outcome === 'not-found') return ['The account has been deleted.']
  return [
    `The account ${outcome === 'suspended' ? 'is suspended' : 'was suspended already'}: it cannot log in. ${endedText(count)}. Its content stays visible.`,
  ]
}

export const unsuspendCommand: AccountCommand = async ({ db }, { id }) => {
  const { outcome } = await credentialStore(db).unsuspend(id)
  return [outcome === 'unsuspended' ? 'The account can log in again.' : 'The account was not suspended.']
}
