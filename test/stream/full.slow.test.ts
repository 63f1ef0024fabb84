import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'

const maxStreams = 5_000
const atOnce = 100

t.test('when a process has 5,000 streams, a network with fewer still gets one', { timeout: 300_000 }, async (t) => {
  const { port } = await testServer(t)

  /** @returns the connection and its status */
  async function open(localAddress: string): Promise<{ socket: Socket; status: string }> {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    t.teardown(() => socket.destroy())
    socket.on('error', () => undefined).write('GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [head] = await once(socket, 'data')
    socket.resume()
    return { socket, status: String(head).slice(0, 'HTTP/1.1 200'.length) }
  }

  const first: Awaited<ReturnType<typeof open>>[] = []
  while (first.length < maxStreams) {
    first.push(...(await Promise.all(Array.from({ length: atOnce }, () => open('127.0.0.1')))))
  }
  t.ok(first.every(({ status }) => status === 'HTTP/1.1 200'))
  t.equal((await open('127.0.0.1')).status, 'HTTP/1.1 503', 'its own network gets no more')
  t.equal((await open('127.0.9.1')).status, 'HTTP/1.1 200')
  const countEnded = () => first.filter(({ socket }) => socket.closed).length
  await eventually(() => countEnded() > 0)
  t.equal(countEnded(), 1, 'one has given way')
})
