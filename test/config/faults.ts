import type { Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { StartError } from '../../src/start-error.ts'

const key = 'k3y/Of+32-bytes_and:more.than*12!different'
const totpKeys = 'a:by which the secrets of apps are encrypted'
export const secrets = { DB_PASSWORD: 'the-database-password', JWT_SIGN_KEY: key, TOTP_KEYS: totpKeys }
/** The minimum for an external database: no secret is generated. */
export const external = { ...secrets, MONGODB_URI: 'mongodb://db.example:27017/rookery?replicaSet=rookery' }
export const production = { ...external, NODE_ENV: 'production', PUBLIC_ORIGIN: 'https://rookery.example' }

/** The faults in the message, one per line, without the indent. */
export async function faultsOf(t: Test, env: Environment, root?: string): Promise<string[]> {
  const error = await readConfig(env, root).then(
    () => t.fail('the configuration was accepted'),
    (error: unknown) => error,
  )
  if (!(error instanceof StartError)) throw error
  const [heading, ...lines] = error.message.split('\n')
  t.equal(heading, 'The configuration is invalid:')
  return lines.map((line) => line.replace(/^ {2}/, ''))
}
