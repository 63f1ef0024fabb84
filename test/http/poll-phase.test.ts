import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { handleInOrder } from '../../src/http/pipelining.ts'

/** More than the 1,024 events that Node takes from the kernel at once: it then looks for further ones, up to 48 times. */
const connections = 1_500

/** When all are connected, each sends a request, and another whenever it has an answer. */
const clients = `
const { connect } = require('node:net')
const { workerData: { port, connections } } = require('node:worker_threads')
const sockets = Array.from({ length: connections }, () => connect(port, '127.0.0.1'))
const send = (socket) => socket.write('GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n')
let connected = 0
for (const socket of sockets) {
  socket.on('data', () => send(socket)).on('error', () => {}).on('connect', () => {
    connected += 1
    if (connected === connections) sockets.forEach(send)
  })
}`

t.test('busy connections get one answer each in a turn of the event loop', async (t) => {
  let answered = 0
  const handle = handleInOrder(
    (_, response) => {
      answered += 1
      const until = performance.now() + 0.5
      while (performance.now() < until);
      response.end()
    },
    () => 0,
    (begin) => begin,
  )
  const server = createServer(handle).listen(0, '127.0.0.1', 4_096)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // TCP always
  const worker = new Worker(clients, { eval: true, workerData: { port, connections } })
  t.teardown(async () => {
    await worker.terminate()
    server.closeAllConnections()
    server.close()
  })
  let mostInTurn = 0
  for (let total = 0; total < 4 * connections; ) {
    answered = 0
    await new Promise(setImmediate)
    total += answered
    mostInTurn = Math.max(mostInTurn, answered)
  }
  t.ok(mostInTurn <= 2 * connections, `${mostInTurn} answers in a turn`)
})
