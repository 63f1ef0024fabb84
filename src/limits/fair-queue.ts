import { fairTurns, type Share } from './fair-turns.ts'

/**
 * Whose turn a task uses: the client's key, and its groups, such as its networks, the widest first.
 * @property reserved - whether it uses the reserved half of the turns, which other tasks cannot fill
 */
export type Turn = { key: string; groups?: readonly string[]; reserved?: boolean }

/** A task's position in a queue, and a signal that removes it. */
export type Ticket = Turn & { signal: AbortSignal }

export type FairQueue = {
  /** @throws the refusal when the queue is full or the wait too long; the abort reason of the ticket */
  <T>(task: () => Promise<T>, ticket: Ticket): Promise<T>
  /** Refuses now what the queue would refuse. @throws the refusal */
  assertRoom(turn: Turn): void
}

/** @property maxWorkMs - a task is refused at once if, at the measured speed, its turn would come later */
export type QueueBounds = { maxRunning: number; maxWaiting: number; maxWaitMs?: number; maxWorkMs?: number }

/** @param seconds - until what waits now will have run */
export type Refusal = (seconds: number) => Error

type Waiter = { start(): void; refuse(): void }

const maxRetrySeconds = 60

const shareOf = ({ key, groups = [] }: Turn): Share => [...groups, key]

/**
 * Groups take turns, and within a group its keys. A full queue evicts the last task of the busiest, never a newcomer
 * because it is new. Reserved tasks wait apart and get every other turn.
 */
export function fairQueue(
  { maxRunning, maxWaiting, maxWaitMs, maxWorkMs = Number.POSITIVE_INFINITY }: QueueBounds,
  refusal: Refusal,
  nowMs: () => number = () => performance.now(),
): FairQueue {
  const [reserved, open] = [fairTurns<Waiter>(), fairTurns<Waiter>()]
  let next = reserved
  let running = 0
  let meanMs = 0

  const laneOf = ({ reserved: isReserved = false }: Turn) => (isReserved ? reserved : open)
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

  function assertRoom(turn: Turn): void {
    if (running < maxRunning) return
    const lane = laneOf(turn)
    const turns = lane.turnsUntil(shareOf(turn))
    const turnsOfAll = turns + Math.min(turns, otherThan(lane).size())
    if ((turnsOfAll * meanMs) / maxRunning > maxWorkMs) throw refuse()
  }

  const waitForSlot = (ticket: Ticket) =>
    new Promise<void>((resolve, reject) => {
      const { signal } = ticket
      const lane = laneOf(ticket)
      const share = shareOf(ticket)
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
      assertRoom(ticket)
      if (lane.size() >= maxWaiting) {
        const evicted = lane.evictFor(share)
        if (!evicted) return waiter.refuse()
        evicted.refuse()
      }
      lane.add(share, waiter)
      if (maxWaitMs !== undefined) timer = setTimeout(giveUp, maxWaitMs).unref()
      signal.addEventListener('abort', leave, { once: true })
    })

  async function run<T>(task: () => Promise<T>, ticket: Ticket): Promise<T> {
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

  return Object.assign(run, { assertRoom })
}
