import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { answersWhileStarting } from '../../src/processes/answer-while-starting.ts'
import { freePort } from '../../src/processes/free-port.ts'
import { eventually } from '../eventually.ts'

t.test('while a start waits, its connections do not take the files that it needs', async (t) => {
  const host = '127.0.0.1'
  const port = await freePort(host)
  const answers = answersWhileStarting({ host, port, cookieSecure: false })
  await answers.open()
  t.teardown(answers.close)
  const sockets: Socket[] = []
  for (let n = 0; n < 150; n += 1) {
    const socket = connect(port, host).on('error', () => undefined)
    t.teardown(() => socket.destroy())
    await Promise.race([once(socket, 'connect'), once(socket, 'close')])
    sockets.push(socket.resume())
  }
  await t.resolves(
    eventually(() => sockets.filter(({ closed }) => closed).length >= 50),
    'those beyond 100 are closed',
  )
  for (const socket of sockets) socket.destroy()
  const isLive = async () => (await fetch(`http://${host}:${port}/health/live`).catch(() => undefined))?.status === 200
  await t.resolves(eventually(isLive))
})
