import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { testServer } from '../helper.ts'
import { answersIn } from './wire.ts'

const posting = (path: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`

t.test('a body that is not read', async (t) => {
  const { port } = await testServer(t)

  /** Sends a body for as long as the server reads. @returns the answer, once the server has closed the connection */
  async function answerTo(path: string) {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    let text = ''
    socket.on('data', (data) => {
      text += data
    })
    // The reset that ends what is still being sent.
    socket.on('error', () => undefined)
    const closed = once(socket, 'close')
    socket.write(posting(path, 1_000_000_000))
    const timer = setInterval(() => socket.write('x'.repeat(1_000)), 20)
    await closed
    clearInterval(timer)
    return answersIn(text)
  }

  for (const [path, status] of [
    ['/v1/posts', 401],
    ['/nowhere', 404],
    ['/%zz', 404],
  ] as const) {
    t.test(`of a gigabyte, at ${path}: ${status}, and the connection closes`, { timeout: 20_000 }, async (t) => {
      t.match(await answerTo(path), [{ status, headers: { connection: 'close' } }])
    })
  }

  t.test('that is short leaves the connection open', async (t) => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    let text = ''
    for (const end of ['x', 'y']) {
      socket.write(posting('/v1/posts', 10_000))
      text += (await once(socket, 'data'))[0]
      socket.write(end.repeat(10_000))
    }
    socket.destroy()
    t.match(answersIn(text), [
      { status: 401, headers: { connection: 'keep-alive' } },
      { status: 401, headers: { connection: 'keep-alive' } },
    ])
  })
})
