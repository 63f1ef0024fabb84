/** While answers come at this rate, nothing has to be asked. */
const freshMs = 20
/** A healthy database answers a ping in a millisecond, and one under load sooner than this. */
const silentAfterMs = 40

/** Whether the database answers anything at all: it does not while all members are frozen, or none is primary. */
export function answerWatch(ping: () => Promise<unknown>) {
  let answeredAt = Number.NEGATIVE_INFINITY
  let isSilent = false
  let isAsked = false
  let verdict: PromiseWithResolvers<boolean> | undefined

  function decide(isAnswering: boolean): void {
    isSilent = !isAnswering
    verdict?.resolve(isAnswering)
    verdict = undefined
  }

  function noteAnswer(): void {
    answeredAt = performance.now()
    if (isSilent || verdict) decide(true)
  }

  /** One ping at a time: it is answered when the database is back, or fails. */
  async function ask(): Promise<void> {
    if (isAsked) return
    isAsked = true
    await ping().then(noteAnswer, () => undefined)
    isAsked = false
  }

  function awaitVerdict(): Promise<boolean> {
    if (verdict) return verdict.promise
    const waiting = Promise.withResolvers<boolean>()
    verdict = waiting
    // After the event loop has been busy, the answer may have arrived: it is read before the immediate runs.
    setTimeout(() => setImmediate(() => verdict === waiting && decide(false)), silentAfterMs)
    return waiting.promise
  }

  return {
    /** The database has answered something just now. */
    noteAnswer,

    /** Decides within 40 ms, and at once while answers come or none has come. */
    isAnswering(): boolean | Promise<boolean> {
      if (performance.now() - answeredAt < freshMs) return true
      void ask()
      return isSilent ? false : awaitVerdict()
    },
  }
}
