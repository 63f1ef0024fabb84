import { readFileSync } from 'node:fs'
import { awsSdkNames } from '../secrets/aws/settings.ts'
import { managerSecretNames } from '../secrets/managers.ts'
import { secretNames } from '../secrets/names.ts'
import { StartError } from '../start-error.ts'
import { parseDotEnv } from './dot-env.ts'
import type { Environment } from './environment.ts'

/**
 * Exported variables take precedence over `.env`. Secrets are removed from process.env, because child processes inherit it.
 * @throws StartError when `.env` exists and cannot be read, or is not in UTF-8
 */
export function loadEnv(): { env: Environment; dotEnvNames: readonly string[] } {
  const dotEnv = parseDotEnv(readDotEnv())
  const env = { ...dotEnv, ...process.env }
  for (const name of [...secretNames, ...managerSecretNames]) delete process.env[name]
  for (const name of awsSdkNames) if (env[name]) process.env[name] = env[name]
  return { env, dotEnvNames: Object.keys(dotEnv) }
}

function readDotEnv(): Uint8Array {
  try {
    return readFileSync(new URL('../../.env', import.meta.url))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Uint8Array()
    throw new StartError('The file .env in the project’s root cannot be read: check its permissions.')
  }
}
