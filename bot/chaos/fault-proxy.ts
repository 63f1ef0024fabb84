import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { collectionOf, commandOf, splitMessages } from './wire-messages.ts'

/**
 * What happens to a command: MongoDB never receives it (`drop`) or receives it late (`holdMs`); its reply never arrives
 * (`drop-reply`); or the connection ends before MongoDB receives it (`cut`) or when MongoDB has answered (`cut-reply`).
 */
export type Effect = 'drop' | 'drop-reply' | 'cut' | 'cut-reply' | { holdMs: number }

/**
 * Applies to the next `times` commands of a name (default 1), after `skip` of them have passed; with a `collection`, only to
 * those on it.
 */
export type CommandFault = { command: string; collection?: string; effect: Effect; times?: number; skip?: number }

/** `requests` travel to MongoDB, `replies` to its client. */
export type Direction = 'requests' | 'replies'

export type ArmedFault = { happened(): number; disarm(): void }

export type FaultProxy = Awaited<ReturnType<typeof startFaultProxy>>

/**
 * A proxy to the mongod on this port of loopback that can drop, hold and cut chosen commands, disconnect all clients,
 * delay commands and replies, and freeze a direction. Clients need directConnection: the address in the replica set's
 * configuration would bypass the proxy.
 */
export async function startFaultProxy(mongodPort: number) {
  const armed: (CommandFault & { left: number; skip: number; happened: number })[] = []
  const links = new Set<Record<Direction, Socket>>()
  const frozen = new Set<Direction>()
  let isDisconnected = false
  let commandDelayMs = 0
  let replyDelayMs = 0

  function takeEffect(message: Buffer): Effect | undefined {
    const command = commandOf(message)
    const fault = armed.find(
      ({ left, collection, ...candidate }) =>
        candidate.command === command && left > 0 && (!collection || collection === collectionOf(message)),
    )
    if (!fault) return undefined
    if (fault.skip > 0) {
      fault.skip -= 1
      return undefined
    }
    fault.left -= 1
    fault.happened += 1
    return fault.effect
  }

  const server = createServer((client) => {
    if (isDisconnected) return void client.destroy()
    const upstream = connect(mongodPort, '127.0.0.1')
    const link = { requests: client, replies: upstream }
    let atReply: 'pass' | 'drop' | 'cut' = 'pass'
    let lastRequest: Promise<unknown> = Promise.resolve()
    let lastReply: Promise<unknown> = Promise.resolve()
    links.add(link)
    const end = () => {
      links.delete(link)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)

    const serve = async (message: Buffer) => {
      if (commandDelayMs > 0) await delay(commandDelayMs)
      const effect = takeEffect(message)
      if (effect === 'drop') return
      if (effect === 'cut') return end()
      if (effect === 'drop-reply') atReply = 'drop'
      if (effect === 'cut-reply') atReply = 'cut'
      if (typeof effect === 'object') await delay(effect.holdMs)
      upstream.write(message)
    }
    client.on(
      'data',
      splitMessages((message) => {
        // In order, also behind a message that is held.
        lastRequest = lastRequest.then(() => serve(message))
      }),
    )
    upstream.on('data', (chunk: Buffer) => {
      if (atReply === 'cut') return end()
      if (atReply === 'drop') return
      lastReply = Promise.all([lastReply, replyDelayMs > 0 && delay(replyDelayMs)]).then(() => client.write(chunk))
    })
    for (const direction of frozen) link[direction].pause()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // TCP always

  function disconnect(): void {
    isDisconnected = true
    for (const { requests, replies } of links) {
      requests.destroy()
      replies.destroy()
    }
  }

  return {
    port,
    arm({ times = 1, skip = 0, ...which }: CommandFault): ArmedFault {
      const fault = { ...which, left: times, skip, happened: 0 }
      armed.push(fault)
      return {
        happened: () => fault.happened,
        disarm: () => {
          fault.left = 0
        },
      }
    },
    /** How many faults of commands have happened. */
    happened: () => armed.reduce((sum, fault) => sum + fault.happened, 0),
    /** Ends all connections and refuses new ones until `reconnect`. */
    disconnect,
    reconnect: () => {
      isDisconnected = false
    },
    /** Serves the commands of a connection one by one, each this late, from now on. */
    delayCommands: (ms: number) => {
      commandDelayMs = ms
    },
    /** Delays every reply from now on. */
    delayReplies: (ms: number) => {
      replyDelayMs = ms
    },
    /** Forwards nothing in a direction until `thaw`; the connections stay open, and new ones are accepted. */
    freeze(direction: Direction): void {
      frozen.add(direction)
      for (const link of links) link[direction].pause()
    },
    thaw(): void {
      for (const link of links) for (const direction of frozen) link[direction].resume()
      frozen.clear()
    },
    close(): void {
      disconnect()
      server.close()
    },
  }
}
