import { fairTurns } from './fair-turns.ts'

/**
 * A task's position in a queue: the client whose turn it uses, and a signal that removes it.
 * @property group - the client's network; by default the key
 * @property reserved - whether it uses the reserved half of the turns, which other tasks cannot fill
 */
export type Ticket = { signal: AbortSignal; key: string; group?: string; reserved?: boolean }

/** @throws the refusal when the queue is full or the wait too long; the abort reason of the ticket */
export type FairQueue = <T>(task: () => Promise<T>, ticket: Ticket) => Promise<T>

export type QueueBounds = { maxRunning: number; maxWaiting: number; maxWaitingOfGroup?: number; maxWaitMs?: number }

/** @param seconds - until what waits now will have run */
export type Refusal = (seconds: number) => Error

type Waiter = { start(): void; refuse(): void }

const maxRetrySeconds = 60

/**
 * Groups take turns, and within a group its keys. A full queue evicts the last task of the busiest, never a newcomer
 * because it is new. Reserved tasks wait apart and get every other turn.
 */
export function fairQueue(
  { maxRunning, maxWaiting, maxWaitingOfGroup = maxWaiting, maxWaitMs }: QueueBounds,
  refusal: Refusal,
  nowMs: () => number = () => performance.now(),
): FairQueue {
  const [reserved, open] = [fairTurns<Waiter>(), fairTurns<Waiter>()]
  let next = reserved
  let running = 0
  let meanMs = 0

  const otherThan = (lane: typeof open) => (lane === open ? reserved : open)

  function startNext(): void {
    const lane = next.size() > 0 ? next : otherThan(next)
    next = otherThan(lane)
    lane.next()?.start()
  }

  function refuse(): Error {
    const seconds = Math.ceil(((reserved.size() + open.size()) * meanMs) / maxRunning / 1_000)
    return refusal(Math.min(Math.max(1, seconds), maxRetrySeconds))
  }

  const waitForSlot = ({ signal, key, group = key, reserved: isReserved = false }: Ticket) =>
    new Promise<void>((resolve, reject) => {
      const lane = isReserved ? reserved : open
      const share = { group, key }
      let timer: NodeJS.Timeout | undefined
      const settle = (outcome: () => void) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', leave)
        outcome()
      }
      const start = () => {
        running += 1
        settle(resolve)
      }
      const waiter: Waiter = { start, refuse: () => settle(() => reject(refuse())) }
      const leave = () => {
        lane.remove(share, waiter)
        settle(() => reject(signal.reason))
      }
      const giveUp = () => {
        lane.remove(share, waiter)
        waiter.refuse()
      }
      if (running < maxRunning) return start()
      const groupIsFull = lane.sizeOf(group) >= maxWaitingOfGroup
      if (groupIsFull || lane.size() >= maxWaiting) {
        const evicted = lane.evictFor(share, groupIsFull)
        if (!evicted) return waiter.refuse()
        evicted.refuse()
      }
      lane.add(share, waiter)
      if (maxWaitMs !== undefined) timer = setTimeout(giveUp, maxWaitMs).unref()
      signal.addEventListener('abort', leave, { once: true })
    })

  return async (task, ticket) => {
    ticket.signal.throwIfAborted()
    await waitForSlot(ticket)
    const startedMs = nowMs()
    try {
      const result = await task()
      // The result of an abandoned request must not take effect.
      ticket.signal.throwIfAborted()
      return result
    } finally {
      const tookMs = nowMs() - startedMs
      meanMs = meanMs === 0 ? tookMs : meanMs + (tookMs - meanMs) / 8
      running -= 1
      startNext()
    }
  }
}
