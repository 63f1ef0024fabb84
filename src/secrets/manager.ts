import type { Reference } from './reference.ts'

export type SecretManager = {
  /**
   * Reads the text of a secret: its field as it is, or the whole secret as JSON if the reference names no field.
   * @param fresh - whether credentials that the manager generates for us must be new ones, because ours were refused
   * @throws StartError with one sentence that contains no secret; its caller puts the variable's name before it
   */
  read(reference: Reference, options?: { fresh?: boolean }): Promise<string>
  /** Stops renewing tokens and leases. */
  close(): void
}
