import type { Environment } from '../../environment/environment.ts'
import { StartError } from '../../start-error.ts'

/** The secrets. They are given to the client itself, so that process.env need not contain them. */
export const awsSecretNames: readonly string[] = [
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
]

/** What the SDK reads from process.env: loadEnv copies it there from `.env`. */
export const awsSdkNames: readonly string[] = [
  'AWS_REGION',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_SECRETS_MANAGER',
  'AWS_PROFILE',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  'AWS_ROLE_ARN',
  'AWS_ROLE_SESSION_NAME',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
]

/** Every variable that `.env` may contain, secrets included. What AWS sets in a container is in process.env. */
export const awsVariableNames: readonly string[] = [
  'AWS_DEFAULT_REGION',
  'AWS_ACCESS_KEY_ID',
  ...awsSdkNames,
  ...awsSecretNames,
]

export type AwsKeys = { accessKeyId: string; secretAccessKey: string; sessionToken?: string }

export type AwsSettings = {
  region: string | undefined
  /** An address that replaces AWS's own, with the variable that a fault names. */
  endpoint: { url: URL; variable: string } | undefined
  keys: AwsKeys | undefined
  profile: string | undefined
  /** Whether this is a container for which AWS has credentials. */
  isContainer: boolean
  /** Its token, for a container that has the token itself and not a file with it. */
  containerToken: string | undefined
  webIdentityTokenFile: string | undefined
}

/** @throws StartError if half of an access key is missing, or if an endpoint is no URL */
export function readAwsSettings(env: Environment): AwsSettings {
  return {
    region: env.AWS_REGION || env.AWS_DEFAULT_REGION || undefined,
    endpoint: readEndpoint(env),
    keys: readKeys(env),
    profile: env.AWS_PROFILE || undefined,
    isContainer: Boolean(env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI || env.AWS_CONTAINER_CREDENTIALS_FULL_URI),
    containerToken: env.AWS_CONTAINER_AUTHORIZATION_TOKEN || undefined,
    webIdentityTokenFile: env.AWS_WEB_IDENTITY_TOKEN_FILE || undefined,
  }
}

function readEndpoint(env: Environment): AwsSettings['endpoint'] {
  const variable = ['AWS_ENDPOINT_URL_SECRETS_MANAGER', 'AWS_ENDPOINT_URL'].find((name) => env[name])
  if (variable === undefined) return undefined
  const text = env[variable] ?? ''
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password)
    throw new StartError(`${variable} must be an http or https URL without credentials.`)
  return { url, variable }
}

function readKeys(env: Environment): AwsKeys | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN } = env
  if (!accessKeyId && !secretAccessKey) return undefined
  if (!accessKeyId) throw new StartError('AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID: set both or neither.')
  if (!secretAccessKey)
    throw new StartError('AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY: set both or neither.')
  return { accessKeyId, secretAccessKey, ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }) }
}
