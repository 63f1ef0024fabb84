import { availableParallelism } from 'node:os'
import { invalid } from '../http/problems.ts'
import type { Ticket } from '../limits/fair-queue.ts'
import type { IsBreached } from './breach-service.ts'
import { yieldHashes } from './hash-priority.ts'
import {
  decoyPassword,
  type Hashing,
  hashPassword,
  isOutdated,
  type StoredPassword,
  verifyPassword,
} from './hashing.ts'
import { passwordQueue } from './password-queue.ts'
import { assertNotBlocked, assertStrongPassword, type PasswordOwner } from './policy.ts'
import type { Credential } from './store.ts'
import { sharedEstimator as strength } from './strength.ts'

export type Verification = { matches: boolean; rehashed: StoredPassword | undefined }

const maxWaitMs = 15_000

/** A request that would wait longer is refused at once. */
const waiting = { maxWaiting: 1_000, maxWaitMs, maxWorkMs: maxWaitMs }

/** At most one hash for each core, three in all. `hashing` is read at each hash: peppers may change. */
export function passwordService(
  hashing: Hashing & { readonly processes: number; readonly isBreached?: IsBreached | undefined },
) {
  const { processes, isBreached } = hashing
  // bcrypt runs on libuv's pool of four threads: one stays free, so that hashing does not block files and DNS.
  const cores = Math.max(1, Math.floor(availableParallelism() / processes))
  const runHash = passwordQueue({ ...waiting, maxRunning: Math.min(cores, 3) })
  // A queue of its own: slow estimates must not delay logins.
  const runEstimate = passwordQueue({ ...waiting, maxRunning: 1 })
  const decoyOf = decoys(hashing)
  return {
    warm(): void {
      // A first hash has started the threads then; if it fails, each login will tell.
      decoyOf().then(yieldHashes, () => undefined)
    },

    /** The queue for hashes. */
    queueSize: runHash.size,

    /** Whether `verify` would have to be refused now, before it costs anything else. @throws Problem `overloaded` */
    assertRoom: runHash.assertRoom,

    /** @param onJudge - called when the costly work begins. @throws Problem `validation`, `overloaded` */
    async assertStrong(password: string, owner: PasswordOwner, ticket: Ticket, onJudge?: () => void): Promise<void> {
      assertNotBlocked(password, owner)
      await runEstimate(() => {
        onJudge?.()
        return assertStrongPassword(password, { pointer: owner.pointer, strength })
      }, ticket)
      if (await isBreached?.(password, ticket.signal)) {
        throw invalid({ pointer: owner.pointer, detail: 'Must not be known from a breach: choose another.' })
      }
    },

    hash(password: string, account: string, ticket: Ticket): Promise<StoredPassword> {
      return runHash(() => hashPassword(password, account, hashing), ticket)
    },

    /** Costs the same without a credential. `onStart` is called before the hash. @throws Problem `overloaded` */
    verify(
      password: string,
      account: string,
      credential: Credential | undefined,
      ticket: Ticket,
      onStart?: () => Promise<void>,
    ): Promise<Verification> {
      return runHash(async () => {
        await onStart?.()
        ticket.signal.throwIfAborted()
        if (credential === undefined) {
          await verifyPassword(password, '', await decoyOf(), hashing.peppers)
          return { matches: false, rehashed: undefined }
        }
        const matches = await verifyPassword(password, account, credential.password, hashing.peppers)
        const rehash = matches && isOutdated(credential.password, hashing)
        return { matches, rehashed: rehash ? await hashPassword(password, account, hashing) : undefined }
      }, ticket)
    },
  }
}

/** The decoy for the present first pepper: a removed pepper must not make unknown usernames fail differently. */
function decoys(hashing: Hashing): () => Promise<StoredPassword> {
  let pepper = hashing.peppers[0]
  let decoy = decoyPassword(hashing)
  return () => {
    if (pepper !== hashing.peppers[0]) {
      pepper = hashing.peppers[0]
      decoy = decoyPassword(hashing)
    }
    return decoy
  }
}

export type PasswordService = ReturnType<typeof passwordService>
