import type { Environment } from '../environment/environment.ts'
import { awsSecretNames, awsVariableNames } from './aws/settings.ts'
import { awsSecretsManager } from './aws-secrets-manager.ts'
import type { SecretManager } from './manager.ts'
import type { Reference } from './reference.ts'
import { vaultSecretNames, vaultVariableNames } from './vault/settings.ts'
import { vaultManager } from './vault.ts'

type Options = { root: string; onLeaseDue: () => void }

export const managerSecretNames: readonly string[] = [...vaultSecretNames, ...awsSecretNames]

export const managerVariableNames: readonly string[] = [...vaultVariableNames, ...awsVariableNames]

/** The clients of the secret managers. Each is opened when the first reference to it is read. */
export function secretManagers(env: Environment, options: Options): SecretManager {
  const opened = new Map<Reference['manager'], SecretManager>()
  function open(name: Reference['manager']): SecretManager {
    const manager = name === 'vault' ? vaultManager(env, options) : awsSecretsManager(env)
    opened.set(name, manager)
    return manager
  }
  return {
    async read(reference, settings) {
      return (opened.get(reference.manager) ?? open(reference.manager)).read(reference, settings)
    },
    close() {
      for (const manager of opened.values()) manager.close()
    },
  }
}
