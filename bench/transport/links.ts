import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { receive, sender } from '../../src/writer/ipc.ts'

/** A command or a result, of the size that real ones have. */
export type Item = { n: number; operation?: string; item: object }

/** Exchanges items with another process, one or more per message. */
export type Link = {
  send(items: Item[]): void
  onItems(handler: (items: Item[]) => void): void
}

/** The transports between two processes. */
export const transports = [
  'ipc-json',
  'ipc-advanced',
  'relay-json',
  'relay-advanced',
  'socket',
  'socket-turns',
] as const
export type Transport = (typeof transports)[number]

/** Tells items, which are arrays, from the messages that control the measurement. */
export const isItems = (message: unknown): message is Item[] => Array.isArray(message)

/** Over the channel that Node.js opens between a process and its child. */
export function overIpc(end: ChildProcess | NodeJS.Process): Link {
  return {
    send: (items) => void end.send?.(items),
    onItems: (handler) => end.on('message', (message: unknown) => void (isItems(message) && handler(message))),
  }
}

/** Over a Unix socket: one line with a JSON array per message, written immediately. */
export function overSocket(socket: Socket): Link {
  return {
    send: (items) => void socket.write(`${JSON.stringify(items)}\n`),
    onItems(handler) {
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

/** Over a Unix socket, as the server does it: one line for each turn of the event loop. See src/writer/ipc.ts. */
export function overSocketByTurn(socket: Socket): Link {
  const { send } = sender<Item>(socket)
  return {
    send: (items) => {
      for (const item of items) send(item)
    },
    onItems: (handler) => receive<Item>(socket, (item) => handler([item])),
  }
}
