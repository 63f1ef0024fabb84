import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import { password } from '../helper.ts'

const portOf = (url: string) => Number(new URL(url).port)

/** A raw connection. */
export async function openSocket(t: Test, url: string) {
  const socket: Socket = connect(portOf(url), '127.0.0.1')
  t.teardown(() => socket.destroy())
  let said = ''
  socket.on('data', (chunk) => {
    said += chunk.toString()
  })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const closed = once(socket, 'close')
  const reads = async (pattern: RegExp) => {
    while (!pattern.test(said) && !socket.closed) await Promise.race([once(socket, 'data'), closed])
    const match = pattern.exec(said)?.[0]
    said = ''
    return match
  }
  return { closed, reads, write: (text: string) => void socket.write(text) }
}

/** A sign-up whose body has not been sent yet. */
export async function beginSignUp(t: Test, url: string, username: string) {
  const body = JSON.stringify({ username, password })
  const socket = await openSocket(t, url)
  const head = ['POST /v1/accounts HTTP/1.1', 'Host: x', 'Content-Type: application/json', 'Expect: 100-continue']
  socket.write(`${head.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n`)
  t.match(await socket.reads(/100 Continue/), '100 Continue')
  return { finish: () => socket.write(body), reads: socket.reads }
}

/** A sign-up that is being handled: an expensive hash (BCRYPT_COST) makes that take a while. */
export async function sendSignUp(t: Test, url: string, username: string) {
  const body = JSON.stringify({ username, password })
  const { reads, write } = await openSocket(t, url)
  const head = ['POST /v1/accounts HTTP/1.1', 'Host: x', 'Content-Type: application/json']
  write(`${head.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  // The answer to a later request shows that this one has been read.
  await fetch(`${url}/health/live`)
  return { reads }
}
