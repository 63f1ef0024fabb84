/** A task's position in a queue: the client whose turn it uses, and a signal that removes it. */
export type Ticket = { signal: AbortSignal; key: string }

/** @throws the refusal when the queue is full or the wait too long; the abort reason of the ticket */
export type FairQueue = <T>(task: () => Promise<T>, ticket: Ticket) => Promise<T>

export type QueueBounds = { maxRunning: number; maxWaiting: number; maxWaitMs?: number }

type Waiter = { start(): void; refuse(): void }

/** Keys take turns (fair queueing: Nagle, RFC 970). A full queue evicts the last task of the busiest key. */
export function fairQueue({ maxRunning, maxWaiting, maxWaitMs }: QueueBounds, refusal: () => Error): FairQueue {
  const queues = new Map<string, Waiter[]>()
  let running = 0
  let waiting = 0

  function remove(key: string, waiter: Waiter | undefined): void {
    const queue = queues.get(key)
    if (!queue || !waiter) return
    queue.splice(queue.indexOf(waiter), 1)
    waiting -= 1
    if (queue.length === 0) queues.delete(key)
  }

  function startNext(): void {
    const [first] = queues
    if (!first) return
    const [key, queue] = first
    const [waiter] = queue
    remove(key, waiter)
    if (queues.delete(key)) queues.set(key, queue)
    waiter?.start()
  }

  function makeRoom(key: string): boolean {
    if (waiting < maxWaiting) return true
    const [busiest, longest] = [...queues].reduce((a, b) => (b[1].length > a[1].length ? b : a))
    if (longest.length <= (queues.get(key)?.length ?? 0) + 1) return false
    const last = longest.at(-1)
    remove(busiest, last)
    last?.refuse()
    return true
  }

  const waitForSlot = ({ signal, key }: Ticket) =>
    new Promise<void>((resolve, reject) => {
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
      const waiter: Waiter = { start, refuse: () => settle(() => reject(refusal())) }
      const leave = () => {
        remove(key, waiter)
        settle(() => reject(signal.reason))
      }
      const giveUp = () => {
        remove(key, waiter)
        waiter.refuse()
      }
      if (running < maxRunning) return start()
      if (!makeRoom(key)) return waiter.refuse()
      const queue = queues.get(key)
      if (queue) queue.push(waiter)
      else queues.set(key, [waiter])
      waiting += 1
      if (maxWaitMs !== undefined) timer = setTimeout(giveUp, maxWaitMs).unref()
      signal.addEventListener('abort', leave, { once: true })
    })

  return async (task, ticket) => {
    ticket.signal.throwIfAborted()
    await waitForSlot(ticket)
    try {
      const result = await task()
      // The result of an abandoned request must not take effect.
      ticket.signal.throwIfAborted()
      return result
    } finally {
      running -= 1
      startNext()
    }
  }
}
