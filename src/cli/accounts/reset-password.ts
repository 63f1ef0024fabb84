import { resetPassword } from '../../accounts/reset-password.ts'
import { type AccountCommand, endedText } from './command.ts'

export const resetPasswordCommand: AccountCommand = async (operator, { username }) => {
  const { client, config, databaseName, notices } = operator
  const { peppers, throttleKey } = config.secrets
  const hashing = { cost: config.bcryptCost, peppers }
  const reset = await resetPassword(client, databaseName, username, hashing, throttleKey, notices)
  if (reset.outcome === 'not-found') return ['The account has been deleted: nothing was changed.']
  return [
    `${endedText(reset.sessionsEnded)}. One-time password, valid for one login until ${reset.until.toISOString()}:`,
    '',
    `  ${reset.password}`,
  ]
}
