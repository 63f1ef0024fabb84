import type { Environment } from '../environment.ts'
import type { SecretManager } from './manager.ts'
import type { Reference } from './reference.ts'

type Options = { root: string; onLeaseDue: () => void }

/** The variables of the managers' clients that are secrets themselves. */
export const managerSecretNames: readonly string[] = []

/** The clients of the secret managers. Each is opened when the first reference to it is read. */
export function secretManagers(_env: Environment, _options: Options): SecretManager {
  const opened = new Map<Reference['manager'], Promise<SecretManager>>()
  async function open(name: Reference['manager']): Promise<SecretManager> {
    throw new Error(`no client for ${name}`)
  }
  return {
    async read(reference, options) {
      const manager = opened.get(reference.manager) ?? open(reference.manager)
      opened.set(reference.manager, manager)
      return (await manager).read(reference, options)
    },
    close() {
      for (const manager of opened.values()) manager.then(({ close }) => close()).catch(() => undefined)
    },
  }
}
