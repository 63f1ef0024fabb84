import { fairTurns, type GroupPath } from './fair-turns.ts'

/** Whose turn a task uses: the client's key, and its groups, the widest first. Other tasks cannot fill the reserved half. */
export type Turn = { key: string; groups?: readonly string[]; reserved?: boolean }

export type Ticket = Turn & { signal: AbortSignal }

export type FairQueue = {
  /** @throws the refusal when the queue is full or the wait too long; the abort reason of the ticket */
  <T>(task: () => Promise<T>, ticket: Ticket): Promise<T>
  /** Refuses now what the queue would refuse. @throws the refusal */
  assertRoom(turn: Turn): void
  /** How many tasks run, and how many wait for their turn. */
  size(): { running: number; waiting: number }
}

/** @property maxWorkMs - a task is refused at once if, at the measured speed, its turn would come later */
export type QueueBounds = { maxRunning: number; maxWaiting: number; maxWaitMs?: number; maxWorkMs?: number }

/** @param seconds - until what waits now will have run */
export type Refusal = (seconds: number) => Error

type Waiter = { start(): void; refuse(): void }

const maxRetrySeconds = 60

const pathOf = ({ key, groups = [] }: Turn): GroupPath => [...groups, key]

/** A full queue evicts the last task of the busiest group, not simply the newcomer. Reserved tasks get every other turn. */
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
    if (running < maxRunning || maxWorkMs === Number.POSITIVE_INFINITY) return
    const lane = laneOf(turn)
    const turns = lane.turnsUntil(pathOf(turn))
    const turnsOfAll = turns + Math.min(turns, otherThan(lane).size())
    if ((turnsOfAll * meanMs) / maxRunning > maxWorkMs) throw refuse()
  }

  const waitForSlot = (ticket: Ticket) =>
    new Promise<void>((resolve, reject) => {
      const { signal } = ticket
      const lane = laneOf(ticket)
      const path = pathOf(ticket)
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
        lane.remove(path, waiter)
        settle(() => reject(signal.reason))
      }
      const giveUp = () => {
        lane.remove(path, waiter)
        waiter.refuse()
      }
      if (running < maxRunning) return start()
      assertRoom(ticket)
      if (lane.size() >= maxWaiting) {
        const evicted = lane.evictFor(path)
        if (!evicted) return waiter.refuse()
        evicted.refuse()
      }
      lane.add(path, waiter)
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

  return Object.assign(run, { assertRoom, size: () => ({ running, waiting: reserved.size() + open.size() }) })
}
