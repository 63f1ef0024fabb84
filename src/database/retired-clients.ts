import type { MongoClient } from 'mongodb'

export type ClientUse = { idleMs(): number; inUse(): number; waiting(): number }

/** Counts the operations that use a connection of the client or wait for one. Must begin while none does. */
export function observeUse(client: MongoClient): ClientUse {
  let inUse = 0
  let waiting = 0
  let idleSince = performance.now()
  client.on('connectionCheckOutStarted', () => {
    waiting += 1
  })
  client.on('connectionCheckOutFailed', () => {
    waiting -= 1
  })
  client.on('connectionCheckedOut', () => {
    waiting -= 1
    inUse += 1
  })
  client.on('connectionCheckedIn', () => {
    inUse -= 1
    idleSince = performance.now()
  })
  return {
    idleMs: () => (inUse > 0 ? 0 : performance.now() - idleSince),
    inUse: () => inUse,
    waiting: () => waiting,
  }
}

const checksPerIdleTime = 10
const maxRetiredMs = 15 * 60_000

/** Clients to which no new operation goes. Each is closed once it has been idle for `idleMs`, and after 15 minutes at most. */
export function retiredClients(idleMs: number) {
  const closers = new Set<() => Promise<void>>()
  return {
    retire(client: MongoClient, use: ClientUse): void {
      const retiredAt = performance.now()
      const timer = setInterval(() => {
        if (use.idleMs() >= idleMs || performance.now() - retiredAt >= maxRetiredMs) void close()
      }, idleMs / checksPerIdleTime).unref()

      async function close(): Promise<void> {
        clearInterval(timer)
        closers.delete(close)
        await client.close().catch(() => undefined)
      }
      closers.add(close)
    },

    closeAll: async (): Promise<void> => void (await Promise.all([...closers].map((close) => close()))),
  }
}
