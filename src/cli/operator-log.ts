import { pino } from 'pino'
import { createLogger } from '../operations/logging.ts'
import { securityLog } from '../operations/security-log.ts'

/** One line of the security log on standard error: standard output may hold a password. */
export function recordCommand(
  command: string,
  account: string | undefined,
  result: 'done' | 'failed' | 'not-found',
): void {
  const log = createLogger({ level: 'silent', readable: false }, pino.destination({ fd: 2, sync: true }))
  securityLog({ log, isOn: true, nameKey: '' }).record('authz_admin', { account, detail: { command, result } })
}
