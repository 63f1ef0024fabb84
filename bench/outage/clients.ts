import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Latencies } from '../../bot/load/latencies.ts'
import { handleRequests } from '../programs.ts'

export type ClientsRequest =
  | { kind: 'open'; port: number; clients: number }
  | { kind: 'send'; path: string; seconds: number }

export type Summary = { count: number; p50: number; p99: number; max: number }

/** In milliseconds. Those that waited took a second or more. */
export type ClientsReport = {
  open: number
  refused: Summary
  waited: Summary
  live: Summary
  statuses: Record<string, number>
}

/** Each of a network of its own (127.1.n.0/24), so that no one's share of the waiting room is used up. */
const networks = 40
const batch = 100
const waitedMs = 1_000
const probeEveryMs = 50

const sockets: Socket[] = []
const refused = new Latencies()
const waited = new Latencies()
const live = new Latencies()
const statuses: Record<string, number> = {}
let port = 0

async function open(clients: number): Promise<void> {
  while (sockets.length < clients) {
    const opened = Array.from({ length: Math.min(batch, clients - sockets.length) }, (_, n) =>
      connect({ port, host: '127.0.0.1', localAddress: `127.1.${n % networks}.1` }).on('error', () => undefined),
    )
    await Promise.all(opened.map((socket) => once(socket, 'connect')))
    // The server ends a connection that sends nothing.
    await Promise.all(opened.map((socket) => exchange(socket, '/health/live')))
    sockets.push(...opened)
  }
}

/** Sends a request, and resolves to the head of its answer, or to nothing if the connection ends. */
async function exchange(socket: Socket, path: string): Promise<string | undefined> {
  if (socket.destroyed) return undefined
  const other = new AbortController()
  const { signal } = other
  const ended = once(socket, 'close', { signal }).then(() => undefined)
  const answered = once(socket, 'data', { signal }).then(([chunk]: Buffer[]) => chunk?.toString('latin1'))
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  try {
    return await Promise.race([answered, ended])
  } finally {
    other.abort()
    await Promise.allSettled([answered, ended])
  }
}

async function send(socket: Socket, path: string, until: number): Promise<void> {
  // Clients do not all send in the same millisecond.
  await sleep(Math.random() * 1_000)
  while (performance.now() < until) {
    const startedAt = performance.now()
    const answer = await exchange(socket, path)
    const elapsedMs = performance.now() - startedAt
    const status = answer?.slice(9, 12) ?? 'none'
    statuses[status] = (statuses[status] ?? 0) + 1
    if (answer === undefined) return
    const latencies = elapsedMs < waitedMs ? refused : waited
    latencies.record(elapsedMs)
    const seconds = Number(/\r\nretry-after: (\d+)/i.exec(answer)?.[1] ?? 1)
    await sleep(seconds * 1_000 + Math.random() * 500)
  }
}

async function probe(until: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: '127.2.0.1' })
  await once(socket, 'connect')
  while (performance.now() < until) {
    const startedAt = performance.now()
    await exchange(socket, '/health/live')
    live.record(performance.now() - startedAt)
    await sleep(probeEveryMs)
  }
  socket.destroy()
}

const summaryOf = (latencies: Latencies): Summary => ({
  count: latencies.count,
  p50: latencies.percentile(50) ?? 0,
  p99: latencies.percentile(99) ?? 0,
  max: latencies.percentile(100) ?? 0,
})

handleRequests<ClientsRequest, ClientsReport>(async (request) => {
  if (request.kind === 'open') {
    port = request.port
    await open(request.clients)
  } else {
    const until = performance.now() + request.seconds * 1_000
    await Promise.all([probe(until), ...sockets.map((socket) => send(socket, request.path, until))])
  }
  const stillOpen = sockets.filter(({ destroyed }) => !destroyed).length
  return { open: stillOpen, refused: summaryOf(refused), waited: summaryOf(waited), live: summaryOf(live), statuses }
})
