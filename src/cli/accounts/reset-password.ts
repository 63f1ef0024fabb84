import { resetPassword } from '../../accounts/reset-password.ts'
import { type AccountCommand, endedText } from './command.ts'

export const resetPasswordCommand: AccountCommand = async ({ client, config, databaseName }, { username }) => {
  const { peppers, throttleKey } = config.secrets
  const reset = await resetPassword(client, databaseName, username, { cost: config.bcryptCost, peppers }, throttleKey)
  if (reset.outcome === 'not-found') return ['The account has been deleted: nothing was changed.']
  return [
    `${endedText(reset.sessionsEnded)}. One-time password, valid for one login until ${reset.until.toISOString()}:`,
    '',
    `  ${reset.password}`,
  ]
}
