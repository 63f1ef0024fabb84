import { resetPassword } from '../../accounts/reset-password.ts'
import { type AccountCommand, endedText } from './command.ts'

export const resetPasswordCommand: AccountCommand = async ({ client, config, databaseName }, { username }) => {
  const hashing = { cost: config.bcryptCost, peppers: config.secrets.peppers }
  const reset = await resetPassword(client, databaseName, username, hashing)
  if (reset.outcome === 'not-found') return ['The account was deleted meanwhile.']
  return [
    `${endedText(reset.sessionsEnded)}. One-time password, valid for one login until ${reset.until.toISOString()}:`,
    '',
    `  ${reset.password}`,
  ]
}
