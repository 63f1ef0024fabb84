import { logOutput } from '../operations/log-output.ts'
import { createLogger } from '../operations/logging.ts'
import { securityLog } from '../operations/security-log.ts'

/** One line of the security log on standard error: standard output may hold a password. */
export function recordCommand(
  command: string,
  account: string | undefined,
  result: 'done' | 'failed' | 'not-found',
): void {
  const log = createLogger({ level: 'silent', readable: false }, logOutput(process.stderr))
  securityLog({ log, isOn: true, nameKey: '' }).record('authz_admin', { account, detail: { command, result } })
}
