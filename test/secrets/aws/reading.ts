import type { SecretManager } from '../../../src/secrets/manager.ts'
import { parseReference } from '../../../src/secrets/reference.ts'
import { StartError } from '../../../src/start-error.ts'

/** Stands for a secret. No error may contain it. */
export const canary = 'canary-5f1c9a'

export const keys = { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: canary }

/** @param text - a reference without `aws-sm:` */
export function read(manager: SecretManager, text: string): Promise<string> {
  const reference = parseReference(`aws-sm:${text}`)
  if (!reference) throw new Error(`${text} is no reference`)
  return manager.read(reference)
}

/** Resolves with the fault and the sentence of a read that fails. */
export async function faultOf(manager: SecretManager, text: string) {
  const error: unknown = await read(manager, text).catch((error: unknown) => error)
  if (!(error instanceof StartError)) throw new Error(`${text} is read, or fails otherwise: ${error}`)
  return { fault: error.fault, message: error.message }
}

export const configuration = (message: string) => ({ fault: 'configuration', message })
export const outOfReach = (message: string) => ({ fault: 'out-of-reach', message })
