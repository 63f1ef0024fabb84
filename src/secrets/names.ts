/** The secrets. `NAME_FILE` names a file that has the secret, `NAME_FROM` a reference to a secret manager. */
export const secretNames = [
  'DB_CREDENTIALS',
  'DB_PASSWORD',
  'JWT_SIGN_KEY',
  'JWT_SIGN_KEYS',
  'PASSWORD_PEPPER',
  'SMTP_URL',
  'THROTTLE_KEY',
  'TOTP_KEYS',
] as const

export type SecretName = (typeof secretNames)[number]

/** The secrets whose text is JSON, so that a reference may name a whole secret of several fields. */
export const jsonSecretNames: ReadonlySet<SecretName> = new Set(['DB_CREDENTIALS', 'JWT_SIGN_KEYS'])

/** The secrets that are URLs: a URL in any other is a mistake. */
export const urlSecretNames: ReadonlySet<SecretName> = new Set(['SMTP_URL'])

export type SecretTexts = Partial<Record<SecretName, string>>
