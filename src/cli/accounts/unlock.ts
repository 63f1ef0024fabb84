import { accountCounters } from '../../limits/account-counters.ts'
import { throttleKey } from '../../limits/throttle-key.ts'
import { type AccountCommand, counted } from './command.ts'

export const unlockCommand: AccountCommand = async ({ config, db }, account) => {
  const counters = accountCounters(db, account, await throttleKey(db, config.secrets.throttleKey))
  return [`${counted(await counters.clear(), 'counter')} of failed logins and wrong codes cleared.`]
}
