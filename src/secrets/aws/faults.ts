import { StartError } from '../../start-error.ts'
import { connectionFault, describeFailure, type Failure } from './failure.ts'
import type { AwsSettings } from './settings.ts'

/** The server that a request went to, and the settings to check if it is the wrong one. */
export type AwsServer = {
  name: string
  region: string
  regionSetting: string
  endpointVariable: string | undefined
  timeoutMs: number
}

const invalidCredentials = new Set([
  'IncompleteSignature',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
])
const expired = new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'])
const wrongClock = new Set(['RequestExpired', 'RequestInTheFuture', 'RequestTimeTooSkewed'])
const throttled = new Set(['RequestLimitExceeded', 'Throttling', 'ThrottlingException', 'TooManyRequestsException'])

/** By the names in AWS's reference of GetSecretValue: emulators answer with other statuses than AWS. */
export function readFault(error: unknown, name: string, server: AwsServer): StartError {
  const failure = describeFailure(error)
  return (
    connectionFault(failure, server.name, server.endpointVariable ?? server.regionSetting, server.timeoutMs) ??
    identityFault(failure) ??
    serverFault(failure, server) ??
    new StartError(secretSentence(failure, name, server))
  )
}

function secretSentence({ name: error, message }: Failure, name: string, { region, regionSetting }: AwsServer): string {
  const secret = `the secret ${name}`
  // AWS answers with this name too if the policy lacks the key.
  if (error === 'DecryptionFailure' || (error === 'AccessDeniedException' && /Access to KMS|\bkms:/.test(message)))
    return `AWS cannot decrypt ${secret}: allow kms:Decrypt on its key, and check that the key is enabled.`
  if (error === 'AccessDeniedException')
    return `AWS denies reading ${secret} in ${region}: allow secretsmanager:GetSecretValue on it.`
  if (error === 'ResourceNotFoundException' && /staging label/.test(message))
    return `The secret ${name} is empty: put a value into it.`
  if (error === 'ResourceNotFoundException')
    return `There is no secret ${name} in ${region}: check its name, ${regionSetting} and the account.`
  if (error === 'InvalidRequestException' && /delet/i.test(message))
    return `The secret ${name} is scheduled for deletion: restore it with aws secretsmanager restore-secret.`
  if (error === 'InvalidParameterException' || error === 'ValidationException')
    return `AWS accepts no secret name such as ${name}: check it.`
  return `AWS refuses to read ${secret} (${error}): check it in the AWS console.`
}

function serverFault({ name, status }: Failure, server: AwsServer): StartError | undefined {
  if (throttled.has(name) || status === 429)
    return new StartError(`${server.name} limits our requests: read fewer secrets less often.`, 'out-of-reach')
  const fault = status >= 500 ? 'out-of-reach' : 'configuration'
  // A page for people, from an emulator for a region that does not exist, or from another server.
  if (name === 'SyntaxError') {
    const settings = [server.regionSetting, server.endpointVariable].filter((each) => each !== undefined).join(' and ')
    return new StartError(`${server.name} does not answer as AWS does (status ${status}): check ${settings}.`, fault)
  }
  if (status >= 500)
    return new StartError(`${server.name} fails with status ${status}: see the AWS Health Dashboard.`, fault)
  return undefined
}

function identityFault({ name, message }: Failure): StartError | undefined {
  if (wrongClock.has(name) || /^Signature (expired|not yet current)/.test(message))
    return new StartError('AWS refuses the time of our request: set this machine’s clock.')
  if (invalidCredentials.has(name))
    return new StartError(
      'AWS does not accept our credentials: check the access key, its secret and its session token.',
    )
  if (expired.has(name)) return new StartError('Our AWS credentials have expired: obtain new ones.')
  return undefined
}

/** Describes why there are no credentials. Temporary ones come from AWS too, which can deny them. */
export function credentialsFault(error: unknown, settings: AwsSettings, timeoutMs: number): StartError {
  const failure = describeFailure(error)
  const { name, code, status } = failure
  const source =
    settings.profile === undefined ? 'AWS_ROLE_ARN or the default profile' : `the profile ${settings.profile}`
  if (code === 'ENOENT' && settings.webIdentityTokenFile !== undefined)
    return new StartError(
      'AWS_WEB_IDENTITY_TOKEN_FILE names a file that cannot be read: check its path and permissions.',
    )
  if (name.startsWith('AccessDenied'))
    return new StartError(
      `AWS denies us the role of ${source}: allow sts:AssumeRole, and check that its trust policy names us.`,
    )
  if (status >= 500 || throttled.has(name))
    return new StartError(`AWS issues no credentials for ${source} at present (${name}).`, 'out-of-reach')
  return (
    connectionFault(failure, 'The source of AWS credentials', source, timeoutMs) ??
    chainFault(failure, settings) ??
    identityFault(failure) ??
    new StartError(`AWS issues no credentials for ${source} (${name}): check the role and its trust policy.`)
  )
}

/** The SDK's default chain has no names for what failed in it, except in its messages. */
function chainFault({ name, message }: Failure, { profile, isContainer }: AwsSettings): StartError | undefined {
  if (!name.endsWith('ProviderError')) return undefined
  const code = /\b(?:EAI_AGAIN|ECONN[A-Z]+|EHOST[A-Z]+|ENET[A-Z]+|ENOTFOUND|ETIMEDOUT)\b/.exec(message)?.[0]
  if (code !== undefined)
    return new StartError(`The source of AWS credentials does not respond (${code}).`, 'out-of-reach')
  if (/expired|session token|(sso|aws) login/i.test(message)) {
    const command = `aws sso login${profile === undefined ? '' : ` --profile ${profile}`}`
    return new StartError(`Our AWS session has expired: log in again, for example with ${command}.`)
  }
  if (profile !== undefined)
    return new StartError(`There are no AWS credentials in the profile ${profile}: check AWS_PROFILE and its files.`)
  if (isContainer)
    return new StartError('The container’s source of AWS credentials does not provide any.', 'out-of-reach')
  return new StartError(
    'There are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile in AWS_PROFILE, or give this machine or container a role.',
  )
}
