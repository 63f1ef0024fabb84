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
import { strengthEstimator } from './strength.ts'

/** What a verification came to: a new hash comes along when the old one was made in another way than today's. */
export type Verification = { matches: boolean; rehashed: StoredPassword | undefined }

/**
 * Checks and makes passwords: one a core at a time and three at most, 64 waiting, never on the event loop.
 * @param processes - how many processes share the cores.
 */
export function passwordService({ processes, ...way }: Hashing & { processes: number }) {
  // bcrypt runs on libuv's pool of four threads: one is left for files and names, which nobody who hashes may block.
  const cores = Math.max(1, Math.floor(availableParallelism() / processes))
  const hashing = hashQueue({ running: Math.min(cores, 3), waiting: 64 })
  // Apart from hashing: however slow new passwords are judged, those who log in do not wait for it.
  const judging = hashQueue({ running: 1, waiting: 64 })
  const strength = strengthEstimator()
  const decoy = decoyPassword(way)
  return {
    /**
     * Judges a new password.
     * @param pointer - where it stands in the request.
     * @throws Problem `validation`, `overloaded`.
     */
    assertStrong(password: string, { username, pointer }: { username: string; pointer: string }, turn: QueueTicket) {
      return judging(() => assertStrongPassword(password, { username, pointer, strength }), turn)
    },

    /**
     * Hashes a new password that was accepted.
     * @param account - the id of the account, chosen beforehand: it is part of the hash.
     * @throws Problem `overloaded`.
     */
    hash(password: string, account: string, turn: QueueTicket): Promise<StoredPassword> {
      return hashing(() => hashPassword(password, account, way), turn)
    },

    /**
     * Checks a password; without a credential it costs the same and never matches.
     * @param begin - called when it is its turn, just before; what it throws is thrown.
     * @throws Problem `overloaded`, also when its pepper is not known here.
     */
    verify(
      password: string,
      account: string,
      credential: Credential | undefined,
      turn: QueueTicket,
      begin?: () => Promise<void>,
    ): Promise<Verification> {
      return hashing(async () => {
        await begin?.()
        turn.signal.throwIfAborted()
        if (credential === undefined) {
          await verifyPassword(password, '', await decoy, way.peppers)
          return { matches: false, rehashed: undefined }
        }
        const matches = await verifyPassword(password, account, credential.password, way.peppers)
        const rehash = matches && isOutdated(credential.password, way)
        return { matches, rehashed: rehash ? await hashPassword(password, account, way) : undefined }
      }, turn)
    },

    close: () => strength.close(),
  }
}

export type PasswordService = ReturnType<typeof passwordService>
