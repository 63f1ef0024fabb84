import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { StartError } from '../../start-error.ts'

const Fields = z.record(z.string(), z.unknown())

/** What GetSecretValue returns: a secret has either text or bytes. */
export type SecretValue = { SecretString?: string | undefined; SecretBinary?: Uint8Array | undefined }

/** @throws StartError if the secret is empty, or if its bytes are not UTF-8 */
export function wholeText({ SecretString, SecretBinary }: SecretValue, name: string): string {
  const bytes = SecretBinary ?? new Uint8Array()
  // Decoding random bytes as UTF-8 would silently lose most of their entropy.
  if (!isUtf8(bytes))
    throw new StartError(`The secret ${name} is binary and not UTF-8 text: encode it, for example in base64.`)
  const text = SecretString ?? Buffer.from(bytes).toString('utf8')
  if (text === '') throw new StartError(`The secret ${name} is empty: put a value into it.`)
  return text
}

/** Picks a member of a secret's JSON; one of another type becomes JSON. @throws StartError if it has none */
export function fieldText(text: string, name: string, field: string): string {
  const fields = parseFields(text)
  if (!fields) throw new StartError(`The secret ${name} is not a JSON object: write it as one, or remove "#${field}".`)
  if (!Object.hasOwn(fields, field))
    throw new StartError(`The secret ${name} has no field ${field}: check the name after "#".`)
  const value = fields[field]
  if (value === '' || value === null)
    throw new StartError(`The field ${field} of the secret ${name} is empty: write its value.`)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function parseFields(text: string): Record<string, unknown> | undefined {
  try {
    return Fields.safeParse(JSON.parse(text)).data
  } catch {
    // The error of JSON.parse quotes the text.
    return undefined
  }
}
