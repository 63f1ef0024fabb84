import type { Environment } from '../environment/environment.ts'
import type { SecretName } from './names.ts'
import type { SecretReader } from './reader.ts'
import type { SecretRules } from './secrets.ts'

export const hasSource = (reader: SecretReader, ...names: SecretName[]) =>
  names.some((name) => reader.names.includes(name))

function missingSecrets(
  given: Environment,
  reader: SecretReader,
  production: boolean,
  { services }: Pick<SecretRules, 'services'>,
): string[] {
  const signs = services.includes('accounts')
  // A fault of its source counts as a source, too.
  const isMissing = (...names: SecretName[]) =>
    !hasSource(reader, ...names) && !names.some((name) => reader.faults.some((fault) => fault.startsWith(name)))
  const noKeys =
    !signs && isMissing('JWT_SIGN_KEY', 'JWT_SIGN_KEYS')
      ? ['JWT_SIGN_KEYS is required with SERVICES=posts: set it to the ring that npm run keys -- public prints']
      : []
  if (given.MONGODB_URI === undefined && !production) return noKeys
  const context = given.MONGODB_URI === undefined ? 'in production' : 'with MONGODB_URI'
  return [
    ...(isMissing('DB_PASSWORD', 'DB_CREDENTIALS')
      ? [`DB_PASSWORD is required ${context}: set it, DB_PASSWORD_FILE or DB_PASSWORD_FROM`]
      : []),
    ...noKeys,
    ...(signs && isMissing('JWT_SIGN_KEY', 'JWT_SIGN_KEYS')
      ? [`JWT_SIGN_KEY is required ${context}: generate one with openssl rand -hex 32`]
      : []),
  ]
}

/** Two ways to configure the same thing. */
function contradictions(given: Environment, reader: SecretReader): string[] {
  const both = (one: string, other: string) => `${one} and ${other} are both set: remove one of them`
  return [
    ...(hasSource(reader, 'DB_CREDENTIALS') && hasSource(reader, 'DB_PASSWORD')
      ? [both('DB_CREDENTIALS', 'DB_PASSWORD')]
      : []),
    ...(hasSource(reader, 'DB_CREDENTIALS') && given.DB_USER !== undefined ? [both('DB_CREDENTIALS', 'DB_USER')] : []),
    ...(hasSource(reader, 'JWT_SIGN_KEYS') && hasSource(reader, 'JWT_SIGN_KEY')
      ? [both('JWT_SIGN_KEYS', 'JWT_SIGN_KEY')]
      : []),
  ]
}

/** Finds secrets that are required and have no source, and pairs of secrets that say the same thing twice. */
export function findSourceFaults(
  given: Environment,
  reader: SecretReader,
  production: boolean,
  rules: Pick<SecretRules, 'services'>,
): string[] {
  return [...contradictions(given, reader), ...missingSecrets(given, reader, production, rules)]
}
