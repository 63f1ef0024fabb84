import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, createServer, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { OverloadedError } from '../../src/database/failures.ts'
import { maxQueued } from '../../src/writer/group-commit.ts'
import { receive, sender } from '../../src/writer/ipc.ts'
import type { Submission } from '../../src/writer/operation.ts'
import { remoteSubmit } from '../../src/writer/remote.ts'
import { serveWriter } from '../../src/writer/server.ts'
import { eventually } from '../eventually.ts'
import { socketPath } from './fixtures/socket-path.ts'

const command = { operation: 'createPost', command: { text: 'x'.repeat(4_000) } }
const frame = (from: number, to: number) =>
  `${JSON.stringify(Array.from({ length: to - from }, (_, n) => [from + n, command, 1e12]))}\n`

const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve))

/** A server at a new path that accepts connections and does what `handle` says. */
async function listenAt(t: Test, handle: (socket: Socket) => void): Promise<string> {
  const path = await socketPath(t)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    handle(socket)
  }).listen(path)
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return path
}

/** A writer server with a log, and a raw connection to it. */
async function rawConnection(t: Test, submit: (entry: Submission) => Promise<unknown>) {
  const path = await socketPath(t)
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(line) })
  t.teardown((await serveWriter(path, { submit }, log, () => false)).close)
  const open = async () => {
    const socket = connect(path).on('error', () => undefined)
    await once(socket, 'connect')
    t.teardown(() => socket.destroy())
    return socket
  }
  return { open, lines }
}

t.test(
  'an API process buffers little for a writer that reads nothing, and refuses what exceeds the queue',
  async (t) => {
    const opened: Socket[] = []
    const note = (message: unknown) => {
      if (typeof message === 'object' && message && 'socket' in message && message.socket instanceof Socket)
        opened.push(message.socket)
    }
    subscribe('net.client.socket', note)
    t.teardown(() => unsubscribe('net.client.socket', note))
    const path = await listenAt(t, (socket) => socket.pause())
    const { submit, close } = remoteSubmit(path)
    t.teardown(close)
    await eventually(() => opened.some(({ connecting }) => !connecting))
    const submitted = Array.from({ length: maxQueued }, () => submit(command).catch(() => undefined))
    await t.rejects(submit(command), OverloadedError)
    await delay(100)
    const buffered = opened.reduce((sum, { writableLength }) => sum + writableLength, 0)
    t.ok(buffered < 10_000_000, `${buffered} bytes of about ${maxQueued * 4_000}`)
    close()
    t.equal(submitted.length, maxQueued)
  },
)

t.test('messages that nothing waits for any more are left out when the other end reads again', async (t) => {
  const path = await listenAt(t, (socket) => accepted.resolve(socket))
  const accepted = Promise.withResolvers<Socket>()
  const socket = connect(path)
  t.teardown(() => socket.destroy())
  const peer = await accepted.promise
  peer.pause()
  const expired = new Set<number>()
  const { send, waiting } = sender<[number, string]>(socket, ([n]) => !expired.has(n))
  const text = 'x'.repeat(10_000)
  const all = Array.from({ length: 2_000 }, (_, n) => n)
  for (const n of all) send([n, text])
  await eventually(() => waiting() < 2_000)
  await delay(50)
  const kept = 2_000 - waiting()
  t.ok(kept <= 1_000, `${kept} serialised`)
  for (const n of all.slice(kept, -1)) expired.add(n)
  const received: number[] = []
  receive<[number, string]>(peer, ([n]) => void received.push(n))
  peer.resume()
  await eventually(() => received.at(-1) === 1_999)
  t.same(received, [...all.slice(0, kept), 1_999])
})

t.test('a writer takes no more commands from a process that reads no responses, until it reads them', async (t) => {
  let submitted = 0
  const { open } = await rawConnection(t, async () => {
    submitted += 1
    return 'x'.repeat(10_000)
  })
  const socket = await open()
  socket.pause()
  const total = 10_000
  for (let n = 0; n < total; n += 100) socket.write(frame(n, n + 100))
  await eventually(() => submitted > 0)
  await delay(1_500)
  t.ok(submitted < total / 2, `${submitted} of ${total}`)
  const answered = new Set<number>()
  receive<[number]>(socket, ([n]) => void answered.add(n))
  socket.resume()
  await eventually(() => answered.size === total)
})

t.test('a malformed frame closes its connection, and the writer process continues', async (t) => {
  const { open, lines } = await rawConnection(t, ({ operation }) => Promise.resolve(operation))
  const other = await open()
  const answers: unknown[] = []
  receive<unknown>(other, (answer) => void answers.push(answer))
  for (const text of ['{"half', 'secret', '17', 'null', '[17]', '[null]', '{}']) {
    const socket = await open()
    socket.write(`${text}\n`)
    socket.resume()
    await closed(socket)
  }
  const endless = await open()
  endless.resume()
  const ended = closed(endless)
  for (let n = 0; n < 20; n += 1) endless.write('x'.repeat(1_000_000))
  await ended
  t.equal(lines.filter((line) => line.includes('connection of an API process closed')).length, 8)
  t.notMatch(lines.join(''), /secret|half/)
  other.write('[[1,null,5]]\n')
  other.write(frame(2, 3))
  await eventually(() => answers.length === 2)
  t.same(answers, [
    [1, null, 'failed'],
    [2, 'createPost'],
  ])
})

t.test('a malformed response closes the connection, and the API process submits again', async (t) => {
  let connections = 0
  const path = await listenAt(t, (socket) => {
    connections += 1
    if (connections < 3) socket.write('garbage\n')
    else
      receive<[number, { command: { retry?: boolean } }]>(socket, ([n, { command }]) => {
        socket.write(`${JSON.stringify([[n, command.retry ?? false]])}\n`)
      })
  })
  const { submit, close } = remoteSubmit(path)
  t.teardown(close)
  t.type(await submit(command), 'boolean')
  t.equal(connections, 3)
})
