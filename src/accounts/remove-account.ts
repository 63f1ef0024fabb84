import type { ClientSession } from 'mongodb'
import type { CredentialStore } from '../credentials/store.ts'
import type { ClientInfo } from '../http/client-info.ts'
import type { EmailStore } from '../mail/emails.ts'
import type { Notices } from '../mail/notices.ts'
import type { PasskeyStore } from '../passkeys/store.ts'
import type { SecondFactorStore } from '../second-factor/store.ts'
import type { DeviceStore } from '../sessions/devices.ts'
import type { SessionStore } from '../sessions/store.ts'
import type { AccountStore } from './store.ts'
import type { TombstoneStore } from './tombstone.ts'

export type RemoveContext = {
  accounts: Pick<AccountStore, 'delete'>
  credentials: Pick<CredentialStore, 'delete'>
  devices: Pick<DeviceStore, 'deleteAll'>
  passkeys: Pick<PasskeyStore, 'deleteAll'>
  secondFactors: Pick<SecondFactorStore, 'delete'>
  emails: Pick<EmailStore, 'delete'>
  notices: Notices
  sessions: Pick<SessionStore, 'endAll'>
  tombstones: Pick<TombstoneStore, 'add'>
  usernameHoldDays: number
}

/** Hides an account with all of its content, and ends its sessions. delete-content.ts deletes the content afterwards. */
export async function removeAccount(
  account: string,
  client: ClientInfo,
  context: RemoveContext,
  transaction: ClientSession,
): Promise<{ outcome: 'removed' | 'not-found' }> {
  const { accounts, credentials, devices, emails, notices, passkeys, secondFactors, sessions, tombstones } = context
  await sessions.endAll(account, transaction)
  const deleted = await accounts.delete(account, context.usernameHoldDays, transaction)
  if (deleted.outcome === 'not-found') return { outcome: 'not-found' }
  await tombstones.add(account, transaction)
  await credentials.delete(account, transaction)
  await devices.deleteAll(account, transaction)
  await passkeys.deleteAll(account, transaction)
  await secondFactors.delete(account, transaction)
  // Before the address is gone. The notice outlives the account until it is sent.
  await notices.add(account, 'account-deleted', client, transaction)
  await emails.delete(account, transaction)
  return { outcome: 'removed' }
}
