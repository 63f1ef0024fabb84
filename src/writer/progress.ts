export function trackProgress<Args extends unknown[], Result>(
  submit: (...args: Args) => Promise<Result>,
  onFailed: (error: unknown) => void = () => {},
) {
  // In the order of their times.
  const waiting = new Set<{ since: number }>()
  let succeededAt = Number.NEGATIVE_INFINITY
  const oldest = () => waiting.values().next().value
  return {
    async submit(...args: Args): Promise<Result> {
      const entry = { since: performance.now() }
      waiting.add(entry)
      try {
        const result = await submit(...args)
        succeededAt = performance.now()
        return result
      } catch (error) {
        onFailed(error)
        throw error
      } finally {
        waiting.delete(entry)
      }
    },
    waiting: () => waiting.size,
    /** 0 if none waits. */
    oldestWaitMs: () => msSince(oldest()?.since),
    /** For how long commands have waited while none succeeded. */
    stalledMs: () => Math.min(msSince(oldest()?.since), msSince(succeededAt)),
  }
}

const msSince = (time: number | undefined) => (time === undefined ? 0 : performance.now() - time)

export type Progress = Omit<ReturnType<typeof trackProgress>, 'submit'>
