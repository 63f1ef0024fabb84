/** At most 4 in any second, with some room for the network's jitter. */
const intervalMs = 300

/** Coalesces changes of counts: the first is due at once, further ones of the same post after an interval. */
export function countsPacer(nowMs: () => number = () => performance.now()) {
  const pending = new Set<string>()
  /** By post, in the order of time: only of the last interval. */
  const sentAt = new Map<string, number>()

  function forgetBefore(time: number): void {
    for (const [post, at] of sentAt) {
      if (at > time) return
      sentAt.delete(post)
    }
  }

  return {
    note: (post: string): void => void pending.add(post),

    /** The posts whose counts are to be sent now. */
    take(): string[] {
      const now = nowMs()
      forgetBefore(now - intervalMs)
      const due = [...pending].filter((post) => !sentAt.has(post))
      for (const post of due) {
        pending.delete(post)
        sentAt.set(post, now)
      }
      return due
    },

    get isEmpty(): boolean {
      return pending.size === 0
    },
  }
}
