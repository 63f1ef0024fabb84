import { removeAccount } from '../../accounts/remove-account.ts'
import { tombstoneStore } from '../../accounts/tombstone.ts'
import { credentialStore } from '../../credentials/store.ts'
import { passkeyStore } from '../../passkeys/store.ts'
import { createSweeps } from '../../reconcile/sweeps.ts'
import { secondFactorStore } from '../../second-factor/store.ts'
import { deviceStore } from '../../sessions/devices.ts'
import { revocationCache } from '../../sessions/revocation-cache.ts'
import { sessionStore } from '../../sessions/store.ts'
import { localWriter } from '../../write-operations.ts'
import { type AccountCommand, operatorClient } from './command.ts'

/** As DELETE /v1/account. The content goes before the command ends; after an interrupt a server deletes the rest. */
export const deleteCommand: AccountCommand = async (
  { accounts, config, db, emails, notices, stop, transact },
  { id },
) => {
  const stores = {
    accounts,
    credentials: credentialStore(db),
    devices: deviceStore(db),
    passkeys: passkeyStore(db),
    secondFactors: secondFactorStore(db),
    emails,
    notices,
    sessions: sessionStore(db, revocationCache(db)),
    tombstones: tombstoneStore(db),
    usernameHoldDays: config.usernameHoldDays,
  }
  const { outcome } = await transact((transaction) => removeAccount(id, operatorClient, stores, transaction))
  if (outcome === 'not-found') return ['The account has been deleted already.']
  const sweeps = createSweeps(db, transact, localWriter(db, transact))
  await sweeps.account(stop)
  await sweeps.post(stop)
  if (stop.aborted) return ['The account is deleted, and its content hidden: a running server deletes the rest of it.']
  return ['The account is deleted, with its posts, reactions and follows.']
}
