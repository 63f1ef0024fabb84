import { sendAlike } from '../http/serializer.ts'

const shownSeconds = 60
/** Of response times: each bucket is 10 % wider than the one before, from 0.1 ms to 2 minutes. */
const buckets = { firstMs: 0.1, growth: 1.1, count: 148 }
const p95 = 0.95

export type Outcome = { durationMs: number; isError: boolean; created?: 'post' | 'reaction' | undefined }

type Counts = { requests: number; errors: number; posts: number; reactions: number }

type Second = Counts & { second: number; durations: Uint32Array }

const none: Counts = { requests: 0, errors: 0, posts: 0, reactions: 0 }

const emptySecond = (second: number): Second => ({ ...none, second, durations: new Uint32Array(buckets.count) })

function bucketOf(ms: number): number {
  const bucket = Math.ceil(Math.log(ms / buckets.firstMs) / Math.log(buckets.growth))
  return Math.min(buckets.count - 1, Math.max(0, bucket))
}

/** The upper end of the bucket, so at most 10 % too much; null without requests. */
function p95Of(durations: Uint32Array, requests: number): number | null {
  let left = Math.ceil(p95 * requests)
  if (left === 0) return null
  const bucket = durations.findIndex((count) => {
    left -= count
    return left <= 0
  })
  return Math.round(buckets.firstMs * buckets.growth ** bucket * 10) / 10
}

const view = ({ requests, errors, posts, reactions, durations }: Omit<Second, 'second'>) => ({
  requests,
  errors,
  posts,
  reactions,
  p95Ms: p95Of(durations, requests),
})

/** Counts what this process answers in each second, and forgets it after a minute. */
export function pulse(nowMs: () => number = Date.now) {
  const seconds: Second[] = Array.from({ length: shownSeconds + 1 }, () => emptySecond(-1))
  const current = () => Math.floor(nowMs() / 1_000)
  const slotOf = (second: number) => second % seconds.length

  function secondOf(second: number): Second {
    const found = seconds[slotOf(second)]
    return found?.second === second ? found : emptySecond(second)
  }

  function viewBefore(end: number) {
    const first = end - shownSeconds
    const shown = Array.from({ length: shownSeconds }, (_, n) => secondOf(first + n))
    const sum = emptySecond(first)
    for (const { durations, ...counts } of shown) {
      sum.requests += counts.requests
      sum.errors += counts.errors
      sum.posts += counts.posts
      sum.reactions += counts.reactions
      durations.forEach((count, bucket) => {
        sum.durations[bucket] = (sum.durations[bucket] ?? 0) + count
      })
    }
    return {
      items: shown.map((each) => ({ at: new Date(each.second * 1_000), ...view(each) })),
      total: view(sum),
    }
  }

  let latest: { second: number; view: ReturnType<typeof viewBefore> } | undefined

  return {
    note({ durationMs, isError, created }: Outcome): void {
      const now = secondOf(current())
      seconds[slotOf(now.second)] = now
      now.requests += 1
      if (isError) now.errors += 1
      if (created === 'post') now.posts += 1
      if (created === 'reaction') now.reactions += 1
      const bucket = bucketOf(durationMs)
      now.durations[bucket] = (now.durations[bucket] ?? 0) + 1
    },

    /**
     * The last 60 complete seconds, the oldest first, and all of them together. Put together and encoded once a second: that
     * takes a millisecond, and a client without an account may ask 500 times.
     */
    read() {
      const second = current()
      if (latest?.second !== second) latest = { second, view: sendAlike(viewBefore(second)) }
      return latest.view
    },
  }
}

export type Pulse = ReturnType<typeof pulse>
