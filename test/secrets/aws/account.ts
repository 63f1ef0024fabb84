import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { Test } from 'tap'
import { startMoto } from '../moto.ts'
import { keys } from './reading.ts'

/** An AWS account in moto, and the environment of a server that reads its secrets. */
export async function awsAccount(t: Test) {
  const { url, stop } = await startMoto(t)
  const env = { ...keys, AWS_REGION: 'eu-central-1', AWS_ENDPOINT_URL_SECRETS_MANAGER: url }

  function adminIn(region: string): SecretsManagerClient {
    const credentials = { accessKeyId: 'admin', secretAccessKey: 'admin' }
    return new SecretsManagerClient({ region, endpoint: url, credentials })
  }

  const admin = adminIn('eu-central-1')
  const create = (name: string, text: string, client = admin) =>
    client.send(new CreateSecretCommand({ Name: name, SecretString: text }))
  return { url, env, admin, adminIn, create, stop }
}
