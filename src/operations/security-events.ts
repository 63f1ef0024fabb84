/**
 * Every event of the security log, with its outcome. The names are those of the OWASP Logging Vocabulary where it has one:
 * https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html
 */
export const securityEvents = {
  authn_confirm_fail: 'failure',
  authn_confirm_success: 'success',
  authn_factor_change: 'success',
  authn_login_fail: 'failure',
  authn_login_fail_max: 'failure',
  authn_login_success: 'success',
  authn_passkey_added: 'success',
  authn_passkey_cloned: 'failure',
  authn_passkey_removed: 'success',
  authn_password_change: 'success',
  authn_password_reset: 'success',
  authn_password_reset_fail: 'failure',
  authn_second_factor_fail: 'failure',
  authn_second_factor_required: 'success',
  authn_token_forged: 'failure',
  authn_token_reuse: 'failure',
  authz_admin: 'success',
  authz_fail: 'failure',
  excess_rate_limit_exceeded: 'failure',
  malicious_cors: 'failure',
  sensitive_read: 'success',
  session_expired: 'success',
  user_created: 'success',
  user_deleted: 'success',
  user_updated: 'success',
} as const satisfies Record<string, 'success' | 'failure'>

export type SecurityEvent = keyof typeof securityEvents

/** Object.keys loses the type of the table's keys. */
export const securityEventNames = Object.keys(securityEvents) as SecurityEvent[]
