import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job } from './round.ts'

/**
 * What a request at this rate costs Node.js alone: a socket, a timer, and no HTTP client.
 * @returns CPU time for each request, in microseconds
 */
export async function measureBareSocket({ url, rate, seconds }: Job): Promise<number> {
  const socket = connect(Number(url.port), url.hostname).setNoDelay()
  await once(socket, 'connect')
  socket.resume()
  const request = `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`
  const startedAt = performance.now()
  const before = process.cpuUsage()
  const count = rate * seconds
  for (let index = 0; index < count; index += 1) {
    const waitMs = startedAt + (index * 1_000) / rate - performance.now()
    if (waitMs > 0) await sleep(waitMs)
    socket.write(request)
  }
  const { user, system } = process.cpuUsage(before)
  socket.destroy()
  return (user + system) / count
}
