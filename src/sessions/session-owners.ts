import type { Db } from 'mongodb'
import { boundedLoader } from '../database/bounded-loader.ts'
import { singleBatch } from '../database/single-batch.ts'
import { maxAccessTokenSeconds, type SessionOwner } from './access-token.ts'
import { notExpired, type SessionDocument } from './model.ts'
import { ownerName, ownerNameOf, ownersFilter } from './owner-name.ts'

const shown = { account: 1, endsAt: 1, passwordChangeRequired: 1 } as const

/** What every service may read of `sessions`: no address, no user agent, no hash of a token. */
export const sessionOwnersView = { viewOn: 'sessions', pipeline: [{ $project: shown }] }

type OwnerDocument = Pick<SessionDocument, '_id' | keyof typeof shown>

/** Shorter than revocations are kept: a pair is forgotten before its session's revocation is. */
const rememberedMs = maxAccessTokenSeconds * 1_000
const maxRemembered = 100_000
/** As in revocation-cache.ts. */
const lookUps = { maxQueries: 4, queryTimeoutMs: 3_000, maxWaitMs: 2_000 }

export type KnownSession = { passwordChangeRequired: boolean }

/**
 * Which account owns a session. A signature alone does not prove it: a stolen sign key signs any pair. Each
 * process looks a pair up when it first sees it, and remembers it for 15 minutes.
 */
export function sessionOwners(db: Db) {
  const collection = db.collection<OwnerDocument>('sessionOwners')
  /** In the order of `until`, by `performance.now()`. */
  const remembered = new Map<string, { until: number; known: KnownSession }>()

  const load = boundedLoader<KnownSession>(async (keys) => {
    const found = await collection
      .find({ ...ownersFilter(keys), ...notExpired() }, singleBatch(keys.length))
      .maxTimeMS(lookUps.queryTimeoutMs)
      .toArray()
    return new Map(
      found.map(({ passwordChangeRequired = false, ...owner }) => [ownerNameOf(owner), { passwordChangeRequired }]),
    )
  }, lookUps)

  function remember(owner: SessionOwner, known: KnownSession): void {
    const key = ownerName(owner)
    remembered.delete(key)
    const [oldest] = remembered.keys()
    if (remembered.size >= maxRemembered && oldest !== undefined) remembered.delete(oldest)
    remembered.set(key, { until: performance.now() + rememberedMs, known })
  }

  return {
    /** Of a session that this process begins: it need not look it up. */
    remember,

    recall(owner: SessionOwner): KnownSession | undefined {
      const found = remembered.get(ownerName(owner))
      return found !== undefined && found.until > performance.now() ? found.known : undefined
    },

    /** From the database. @returns undefined unless the session exists and is this account's */
    async lookUp(owner: SessionOwner): Promise<KnownSession | undefined> {
      const known = await load(ownerName(owner))
      if (known) remember(owner, known)
      return known
    },
  }
}

export type SessionOwners = ReturnType<typeof sessionOwners>
