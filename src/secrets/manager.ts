import type { Reference } from './reference.ts'

export type SecretManager = {
  /**
   * Reads a field of a secret, or the whole as JSON. With `fresh`, generated credentials are new: MongoDB refused ours.
   * @throws StartError with one sentence that contains no secret; its caller puts the variable's name before it
   */
  read(reference: Reference, options?: { fresh?: boolean }): Promise<string>
  /** Stops renewing tokens and leases. */
  close(): void
}
