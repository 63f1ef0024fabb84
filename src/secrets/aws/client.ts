import { StartError } from '../../start-error.ts'
import { type AwsServer, credentialsFault, readFault } from './faults.ts'
import type { SecretValue } from './secret-text.ts'
import type { AwsSettings } from './settings.ts'
import type { Target } from './target.ts'

const timeoutMs = 5_000
const connectionTimeoutMs = 2_000
/** So that a second attempt begins before the time limit. */
const attemptTimeoutMs = 2_400

export type AwsClient = {
  /** @throws StartError with one sentence that contains nothing of AWS's response */
  read(target: Target): Promise<SecretValue>
  close(): void
}

/**
 * Opens a client for one region, the ARN's before that of the settings. Loads the SDK, which other servers do without.
 * @throws StartError if there is no region
 */
export async function openAwsClient(settings: AwsSettings, arnRegion?: string): Promise<AwsClient> {
  const [{ GetSecretValueCommand, SecretsManagerClient }, { defaultProvider }] = await Promise.all([
    import('@aws-sdk/client-secrets-manager'),
    import('@aws-sdk/credential-provider-node'),
  ])
  const { containerToken } = settings
  const givenRegion = arnRegion ?? settings.region
  const profile = settings.profile !== undefined ? { profile: settings.profile } : {}
  const client = new SecretsManagerClient({
    ...profile,
    ...(givenRegion !== undefined && { region: givenRegion }),
    ...(settings.endpoint && { endpoint: settings.endpoint.url.href }),
    credentials:
      settings.keys ??
      defaultProvider({
        ...profile,
        ...(containerToken !== undefined && { awsContainerAuthorizationToken: containerToken }),
        // So that a profile whose keys were replaced works with the next client.
        ignoreCache: true,
      }),
    maxAttempts: 2,
    requestHandler: {
      connectionTimeout: connectionTimeoutMs,
      requestTimeout: attemptTimeoutMs,
      throwOnRequestTimeout: true,
    },
  })
  const profileRegion = givenRegion === undefined ? client.config.region().catch(() => undefined) : undefined
  const region = checkRegion(givenRegion ?? (await profileRegion), arnRegion !== undefined)
  const server: AwsServer = {
    name: `AWS Secrets Manager in ${region}`,
    region,
    regionSetting: arnRegion === undefined ? 'AWS_REGION' : 'the region in the ARN',
    endpointVariable: settings.endpoint?.variable,
    timeoutMs,
  }

  return {
    async read(target) {
      const signal = AbortSignal.timeout(timeoutMs)
      // First and on their own: an error tells what was denied, or what expired.
      await beforeAbort(signal, client.config.credentials()).catch((error: unknown) => {
        throw credentialsFault(error, settings, timeoutMs)
      })
      const command = new GetSecretValueCommand({ SecretId: target.id, VersionStage: 'AWSCURRENT' })
      return beforeAbort(signal, client.send(command, { abortSignal: signal })).catch((error: unknown) => {
        throw readFault(error, target.name, server)
      })
    },
    close: () => client.destroy(),
  }
}

function checkRegion(region: string | undefined, isInArn: boolean): string {
  if (region === undefined)
    throw new StartError('There is no AWS region: set AWS_REGION, or name the secret by its ARN.')
  if (!/^[a-z]+(-[a-z]+)+-\d+$/.test(region))
    throw new StartError(
      `${isInArn ? 'The region in the ARN' : 'AWS_REGION'} must be a region such as eu-central-1: ${region} is none.`,
    )
  return region
}

/** Rejects when the signal aborts: the SDK does not pass it on to every step. */
async function beforeAbort<Value>(signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', abort))
}
