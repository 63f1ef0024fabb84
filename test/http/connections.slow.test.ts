import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'
import { ask } from './wire.ts'

t.test('3,000 connections of one client leave 500 of it, and others are served', { timeout: 120_000 }, async (t) => {
  const { port } = await testServer(t, { LIMIT_CONNECTIONS_PER_ADDRESS: '500' })
  const sockets: Socket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  // The system queues about 500 that the server has not accepted.
  while (sockets.length < 3_000) {
    const batch = Array.from({ length: 200 }, () =>
      connect({ port, host: '127.0.0.1', localAddress: '127.0.9.1' })
        .on('error', () => undefined)
        .resume(),
    )
    sockets.push(...batch)
    await Promise.all(batch.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])))
  }
  await eventually(() => sockets.filter(({ readyState }) => readyState === 'open').length <= 500)
  t.equal((await ask(port, 'GET', '/v1/posts')).status, 200)
})
