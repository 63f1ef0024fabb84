import { StartError } from '../../start-error.ts'
import type { Reference } from '../reference.ts'
import type { VaultData } from './client.ts'

/** @throws StartError if there is no such field, or if it is empty */
export function secretText(data: VaultData, { path, field }: Pick<Reference, 'path' | 'field'>): string {
  if (field === undefined) {
    if (Object.keys(data).length > 0) return JSON.stringify(data)
    throw new StartError(`The secret ${path} in Vault is empty: write its fields.`)
  }
  if (!Object.hasOwn(data, field))
    throw new StartError(`The secret ${path} in Vault has no field ${field}: check the name after "#".`)
  const value = data[field]
  if (value === '' || value === null)
    throw new StartError(`The field ${field} of the secret ${path} in Vault is empty: write its value.`)
  return typeof value === 'string' ? value : JSON.stringify(value)
}
