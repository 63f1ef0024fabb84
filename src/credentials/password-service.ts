import { availableParallelism } from 'node:os'
import type { QueueTicket } from '../http/deadline.ts'
import { hashQueue } from './hash-queue.ts'
import {
  decoyPassword,
  type Hashing,
  hashPassword,
  isOutdated,
  type StoredPassword,
  verifyPassword,
} from './hashing.ts'
import { assertStrongPassword } from './policy.ts'
import type { Credential } from './store.ts'
import { sharedEstimator as strength } from './strength.ts'

/** `rehashed` is a new hash of the same password, if the stored one has an outdated cost or pepper. */
export type Verification = { matches: boolean; rehashed: StoredPassword | undefined }

/**
 * Verifies, hashes and estimates passwords off the event loop: one hash at a time for each core, at most three, and at
 * most 64 waiting.
 * @param processes - how many processes share the cores.
 */
export function passwordService({ processes, ...hashing }: Hashing & { processes: number }) {
  // bcrypt runs on libuv's pool of four threads: one stays free, so that hashing does not block files and DNS.
  const cores = Math.max(1, Math.floor(availableParallelism() / processes))
  const runHash = hashQueue({ running: Math.min(cores, 3), waiting: 64 })
  // A queue of its own: slow estimates must not delay logins.
  const runEstimate = hashQueue({ running: 1, waiting: 64 })
  const decoy = decoyPassword(hashing)
  return {
    /** Starts the strength estimator, so that the first sign-up does not wait for its dictionaries. */
    warm: () => strength.warm(),

    /**
     * Refuses a weak new password.
     * @param pointer - the JSON Pointer of the password in the request.
     * @throws Problem `validation`, `overloaded`.
     */
    assertStrong(password: string, { username, pointer }: { username: string; pointer: string }, ticket: QueueTicket) {
      return runEstimate(() => assertStrongPassword(password, { username, pointer, strength }), ticket)
    },

    /**
     * Hashes a new password.
     * @param account - the id of the account, which is part of the hash.
     * @throws Problem `overloaded`.
     */
    hash(password: string, account: string, ticket: QueueTicket): Promise<StoredPassword> {
      return runHash(() => hashPassword(password, account, hashing), ticket)
    },

    /**
     * Verifies a password. Without a credential it costs the same and does not match.
     * @param onStart - called when the task leaves the queue, before the hash is computed; its error is rethrown.
     * @throws Problem `overloaded`, also if the credential's pepper is not configured.
     */
    verify(
      password: string,
      account: string,
      credential: Credential | undefined,
      ticket: QueueTicket,
      onStart?: () => Promise<void>,
    ): Promise<Verification> {
      return runHash(async () => {
        await onStart?.()
        ticket.signal.throwIfAborted()
        if (credential === undefined) {
          await verifyPassword(password, '', await decoy, hashing.peppers)
          return { matches: false, rehashed: undefined }
        }
        const matches = await verifyPassword(password, account, credential.password, hashing.peppers)
        const rehash = matches && isOutdated(credential.password, hashing)
        return { matches, rehashed: rehash ? await hashPassword(password, account, hashing) : undefined }
      }, ticket)
    },
  }
}

export type PasswordService = ReturnType<typeof passwordService>
