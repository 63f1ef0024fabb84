import type { Environment } from '../environment/environment.ts'
import { type AwsClient, openAwsClient } from './aws/client.ts'
import { fieldText, wholeText } from './aws/secret-text.ts'
import { readAwsSettings } from './aws/settings.ts'
import { parseTarget } from './aws/target.ts'
import type { SecretManager } from './manager.ts'

/**
 * An ARN's region precedes AWS_REGION. Credentials come from `env`, or else from the SDK's default chain.
 * @throws StartError if the variables contradict each other
 */
export function awsSecretsManager(env: Environment): SecretManager {
  const settings = readAwsSettings(env)
  const clients = new Map<string | undefined, Promise<AwsClient>>()
  const pending = new Map<string, Promise<string>>()

  function clientFor(region: string | undefined): Promise<AwsClient> {
    const existing = clients.get(region)
    if (existing) return existing
    const client = openAwsClient(settings, region)
    clients.set(region, client)
    return client
  }

  async function fetchText(id: string): Promise<string> {
    const target = parseTarget(id)
    const client = clientFor(target.region)
    try {
      return wholeText(await (await client).read(target), target.name)
    } catch (error) {
      // The SDK keeps credentials that AWS refused: the next read takes them from their source again.
      if (clients.get(target.region) === client) clients.delete(target.region)
      throw error
    }
  }

  /** Concurrent reads of a secret share one request, except those that must not get an earlier answer. */
  function share(id: string, fresh: boolean): Promise<string> {
    const joined = fresh ? undefined : pending.get(id)
    if (joined) return joined
    const promise = fetchText(id).finally(() => {
      if (pending.get(id) === promise) pending.delete(id)
    })
    pending.set(id, promise)
    return promise
  }

  return {
    async read({ path, field }, { fresh = false } = {}) {
      const text = await share(path, fresh)
      return field === undefined ? text : fieldText(text, parseTarget(path).name, field)
    },
    close() {
      for (const client of clients.values()) client.then(({ close }) => close()).catch(() => undefined)
    },
  }
}
