import { resolve } from 'node:path'
import type { Environment } from '../environment/environment.ts'
import { jsonSecretNames, type SecretName } from './names.ts'
import { parseReference, type Reference } from './reference.ts'

/** Where a secret comes from. `variable` is the environment variable that says so. */
export type SecretSource =
  | { kind: 'value'; variable: string; text: string }
  | { kind: 'file'; variable: string; path: string }
  | { kind: 'manager'; variable: string; reference: Reference }

/** Finds the source of a secret: `NAME`, `NAME_FILE` (relative to `root`) or `NAME_FROM`. Adds faults to `faults`. */
export function findSource(
  env: Environment,
  name: SecretName,
  root: string,
  faults: string[],
): SecretSource | undefined {
  const [variable, other] = [name, `${name}_FILE`, `${name}_FROM`].filter((each) => env[each])
  if (variable === undefined) return undefined
  if (other !== undefined) {
    faults.push(`${variable} and ${other} are both set: remove one of them`)
    return undefined
  }
  const text = env[variable] ?? ''
  if (variable === name) return { kind: 'value', variable, text }
  if (variable === `${name}_FILE`) return { kind: 'file', variable, path: resolve(root, text) }
  const reference = parseReference(text)
  if (reference === undefined) {
    faults.push(`${variable} must be vault:MOUNT/PATH#FIELD or aws-sm:NAME_OR_ARN#FIELD`)
    return undefined
  }
  // An AWS secret can be a single text. A Vault secret always has fields.
  if (reference.manager === 'vault' && reference.field === undefined && !jsonSecretNames.has(name)) {
    faults.push(`${variable} must name a field of the secret: vault:MOUNT/PATH#FIELD`)
    return undefined
  }
  return { kind: 'manager', variable, reference }
}
