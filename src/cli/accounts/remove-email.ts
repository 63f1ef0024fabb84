import { activityStore } from '../../activity/store.ts'
import { type AccountCommand, operatorClient } from './command.ts'

/** For an account that was taken over: the reader of its mails would reset each new password. */
export const removeEmailCommand: AccountCommand = async ({ db, emails, notices, transact }, { id }) => {
  const isRemoved = await transact(async (transaction) => {
    if (!(await emails.isNamed(id, transaction))) return false
    // Before the address is gone, which gets the notice.
    await activityStore(db, notices).record(id, 'email-removed', operatorClient, transaction)
    await emails.delete(id, transaction)
    return true
  })
  return [isRemoved ? 'The e-mail address was removed, with its links.' : 'The account has no e-mail address.']
}
