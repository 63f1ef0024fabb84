import { once } from 'node:events'
import { createServer, connect as open, type Socket } from 'node:net'
import { type Item, type Link, overIpc, overSocket, overSocketByTurn, type Transport } from './links.ts'

/** Items in flight at any time: as many as requests wait in a busy server. */
const inFlight = 256

/** A command, as an API process sends it to the writer process: see src/write-operations.ts. */
function createCommand(n: number): Item {
  const post = '0199f3a2-7c1e-7d6b-9a55-3f0c8e21b7d4'
  const account = '0199f3a2-8d44-7b12-8c3e-91d07aa4c6f0'
  return {
    n,
    operation: 'react',
    item: { post, account, value: 'like', order: '0199f3a3-10ab-7e90-b2cf-5d88e1f3a902' },
  }
}

const resultOf = ({ n }: Item): Item => ({ n, item: { value: 'like', counts: { likes: n, dislikes: 0, replies: 0 } } })

/**
 * Responds to each message with as many results.
 * @returns a function that returns the number of results received, which is 0 on this side.
 */
export function echo(link: Link): () => number {
  link.onItems((items) => link.send(items.map(resultOf)))
  return () => 0
}

/** Keeps a constant number of commands in flight: sends a new one for each result. */
function sendCommands(link: Link, itemsPerMessage: number): () => number {
  let sent = 0
  let received = 0
  let free = inFlight
  const fill = () => {
    for (; free >= itemsPerMessage; free -= itemsPerMessage) {
      link.send(Array.from({ length: itemsPerMessage }, () => createCommand(sent++)))
    }
  }
  link.onItems((items) => {
    received += items.length
    free += items.length
    fill()
  })
  fill()
  return () => received
}

async function openSocket(path: string, role: string): Promise<Socket> {
  if (role === 'client') return open(path)
  const server = createServer().listen(path)
  await once(server, 'listening')
  process.send?.('listening')
  const [socket]: Socket[] = await once(server, 'connection')
  if (!socket) throw new Error('a connection without a socket')
  return socket
}

async function openLink(transport: Transport, path: string, role: string): Promise<Link> {
  if (transport === 'socket') return overSocket(await openSocket(path, role))
  if (transport === 'socket-turns') return overSocketByTurn(await openSocket(path, role))
  return overIpc(process)
}

/** Runs a process of the measurement, `client` or `server`: reports its totals on request, and exits with its parent. */
export async function runPeer(
  role: string,
  transport: Transport,
  path: string,
  itemsPerMessage: number,
): Promise<void> {
  process.on('disconnect', () => process.exit())
  const link = await openLink(transport, path, role)
  const countReceived = role === 'client' ? sendCommands(link, itemsPerMessage) : echo(link)
  process.on('message', (message) => {
    const { user, system } = process.cpuUsage()
    if (message === 'totals') process.send?.({ received: countReceived(), cpuUs: user + system })
  })
}
