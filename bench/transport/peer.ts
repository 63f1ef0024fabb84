import { once } from 'node:events'
import { createServer, connect as open, type Socket } from 'node:net'
import { type Item, inFrames, type Link, overIpc, overSocket, type Way } from './links.ts'

/** As many as requests wait at a busy server, in items. */
const underWay = 256

/** What an API process sends to the writer process: see src/write-operations.ts. */
function question(n: number): Item {
  const post = '0199f3a2-7c1e-7d6b-9a55-3f0c8e21b7d4'
  const account = '0199f3a2-8d44-7b12-8c3e-91d07aa4c6f0'
  return { n, kind: 'react', item: { post, account, value: 'like', order: '0199f3a3-10ab-7e90-b2cf-5d88e1f3a902' } }
}

const answerTo = ({ n }: Item): Item => ({ n, item: { value: 'like', counts: { likes: n, dislikes: 0, replies: 0 } } })

/** Answers every message with one of as many items; this side counts nothing. */
export function answer(link: Link): () => number {
  link.take((items) => link.send(items.map(answerTo)))
  return () => 0
}

/** Asks, and asks again for each item answered, so that always as many are under way. */
function ask(link: Link, together: number): () => number {
  let asked = 0
  let answered = 0
  let free = underWay
  const fill = () => {
    for (; free >= together; free -= together) link.send(Array.from({ length: together }, () => question(asked++)))
  }
  link.take((items) => {
    answered += items.length
    free += items.length
    fill()
  })
  fill()
  return () => answered
}

async function socketAt(path: string, role: string): Promise<Socket> {
  if (role === 'ask') return open(path)
  const server = createServer().listen(path)
  await once(server, 'listening')
  process.send?.('listening')
  const [socket]: Socket[] = await once(server, 'connection')
  if (!socket) throw new Error('a connection without a socket')
  return socket
}

async function linkOf(way: Way, path: string, role: string): Promise<Link> {
  if (way === 'socket') return overSocket(await socketAt(path, role))
  if (way === 'frames') return inFrames(await socketAt(path, role))
  return overIpc(process)
}

/** A process of its own: `ask` or `answer`, tells how much it has done when asked for it, and ends with its parent. */
export async function peer(role: string, way: Way, path: string, together: number): Promise<void> {
  process.on('disconnect', () => process.exit())
  const link = await linkOf(way, path, role)
  const done = role === 'ask' ? ask(link, together) : answer(link)
  process.on('message', (message) => {
    const { user, system } = process.cpuUsage()
    if (message === 'tell') process.send?.({ answered: done(), cpu: user + system })
  })
}
