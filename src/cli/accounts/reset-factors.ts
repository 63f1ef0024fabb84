import type { Db } from 'mongodb'
import { activityStore } from '../../activity/store.ts'
import { credentialStore } from '../../credentials/store.ts'
import { toUuid } from '../../database/ids.ts'
import { accountCounters } from '../../limits/account-counters.ts'
import { throttleKey } from '../../limits/throttle-key.ts'
import { secondFactorStore } from '../../second-factor/store.ts'
import { deviceStore } from '../../sessions/devices.ts'
import { type AccountCommand, counted, operatorClient } from './command.ts'

const passkeysIn = (db: Db) => db.collection('passkeys')

/** For an owner who has lost the second factor. Logins between their steps have to begin again; sessions go on. */
export const resetFactorsCommand: AccountCommand = async ({ config, db, notices, transact }, target) => {
  const { id } = target
  const reset = await transact(async (transaction) => {
    const { outcome } = await credentialStore(db).raiseVersion(id, transaction)
    if (outcome === 'not-found') return undefined
    const totp = await secondFactorStore(db).delete(id, transaction)
    const passkeys = await passkeysIn(db).deleteMany({ account: toUuid(id) }, { session: transaction })
    await deviceStore(db).endTrust(id, transaction)
    await activityStore(db, notices).record(id, 'factors-reset', operatorClient, transaction)
    return { totp, passkeys: passkeys.deletedCount }
  })
  if (!reset) return ['The account has been deleted: nothing was changed.']
  await accountCounters(db, target, await throttleKey(db, config.secrets.throttleKey)).clear()
  const app = reset.totp.outcome === 'removed' ? 'The authenticator app was removed' : 'There was no authenticator app'
  return [`${app}, and ${counted(reset.passkeys, 'passkey')}. The password alone logs in now.`]
}
