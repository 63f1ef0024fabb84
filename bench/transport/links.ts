import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { receive, sender } from '../../src/writer/ipc.ts'

/** What the writer is asked, and what it answers: made up, of the size that they have. */
export type Item = { n: number; kind?: string; item: object }

/** Sends items to the other process, some in a message, and takes those that come from it. */
export type Link = {
  send(items: Item[]): void
  take(handler: (items: Item[]) => void): void
}

/** How two processes may speak to each other. */
export const ways = ['ipc-json', 'ipc-advanced', 'relay-json', 'relay-advanced', 'socket', 'frames'] as const
export type Way = (typeof ways)[number]

/** What the processes tell each other about the measurement travels as strings; items are arrays. */
export const isItems = (message: unknown): message is Item[] => Array.isArray(message)

/** Over the channel that Node.js opens between a process and its child. */
export function overIpc(end: ChildProcess | NodeJS.Process): Link {
  return {
    send: (items) => void end.send?.(items),
    take: (handler) => end.on('message', (message: unknown) => void (isItems(message) && handler(message))),
  }
}

/** Over a Unix socket: a JSON array on a line, written at once. */
export function overSocket(socket: Socket): Link {
  return {
    send: (items) => void socket.write(`${JSON.stringify(items)}\n`),
    take(handler) {
      let rest = ''
      socket.setEncoding('utf8')
      socket.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        // Written by overSocket() at the other end.
        for (const line of lines) handler(JSON.parse(line) as Item[])
      })
    },
  }
}

/** Over a Unix socket as the server does it: all of one turn of the event loop on a line. See src/writer/ipc.ts. */
export function inFrames(socket: Socket): Link {
  const send = sender<Item>(socket)
  return {
    send: (items) => {
      for (const item of items) send(item)
    },
    take: (handler) => receive<Item>(socket, (item) => handler([item])),
  }
}
