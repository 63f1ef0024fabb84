import { type Limit, rateLimited } from './headers.ts'
import { recentMap } from './recent-map.ts'

export type Bucket = { tokens: number; filledAtMs: number }

type Options = { maxBuckets?: number; nowMs?: () => number }

/** In the memory of this process. A subject that is forgotten for lack of room starts with a full bucket. */
export function tokenBuckets(limit: Limit, { maxBuckets = 100_000, nowMs = () => performance.now() }: Options = {}) {
  const { name, quota, windowSeconds } = limit
  const tokensPerMs = quota / (windowSeconds * 1000)
  const policy = `"${name}";q=${quota};w=${windowSeconds}`
  const buckets = recentMap<Bucket>(maxBuckets)

  function bucketOf(subject: string): Bucket {
    const now = nowMs()
    const bucket = buckets.get(subject)
    if (bucket === undefined) {
      const full = { tokens: quota, filledAtMs: now }
      buckets.set(subject, full)
      return full
    }
    bucket.tokens = Math.min(quota, bucket.tokens + Math.max(0, now - bucket.filledAtMs) * tokensPerMs)
    bucket.filledAtMs = now
    return bucket
  }

  /** Until the bucket has one more whole token. */
  const secondsOf = ({ tokens }: Bucket) =>
    Math.max(1, Math.ceil(((Math.floor(tokens) + 1 - tokens) / quota) * windowSeconds))

  function refuseIfEmpty(bucket: Bucket): void {
    if (bucket.tokens < 1) throw rateLimited(limit, secondsOf(bucket))
  }

  return {
    headersOf: (bucket: Bucket): Record<string, string> => ({
      'ratelimit-policy': policy,
      ratelimit: `"${name}";r=${Math.floor(bucket.tokens)};t=${secondsOf(bucket)}`,
    }),

    /** Without a bucket for a subject that has none: a client that only claims subjects must not displace those of others. */
    isEmpty: (subject: string): boolean => buckets.get(subject) !== undefined && bucketOf(subject).tokens < 1,

    /** @throws Problem `rate-limited` if the bucket is empty */
    check: (subject: string): void => refuseIfEmpty(bucketOf(subject)),

    /** Takes one token. @throws Problem `rate-limited` if the bucket is empty */
    consume(subject: string): Bucket {
      const bucket = bucketOf(subject)
      refuseIfEmpty(bucket)
      bucket.tokens -= 1
      return bucket
    },

    /** Takes a token for a request that has been answered: too late to refuse it. */
    settle(subject: string): Bucket {
      const bucket = bucketOf(subject)
      bucket.tokens = Math.max(0, bucket.tokens - 1)
      return bucket
    },

    release(subject: string): void {
      const bucket = bucketOf(subject)
      bucket.tokens = Math.min(quota, bucket.tokens + 1)
    },

    get size() {
      return buckets.size
    },
  }
}
