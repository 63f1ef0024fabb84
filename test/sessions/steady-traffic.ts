import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'

type Answer = { at: number; status: number }

const pauseMs = 500

/**
 * Clients that read with their sessions until the end of the test, each half a second after its last answer: twice as many
 * requests a second as there are clients, and fewer if the machine is busy.
 */
export function steadyTraffic(t: Test, url: string, tokens: readonly string[], clients: number) {
  const agent = new Agent({ keepAlive: true })
  const answers: Answer[] = []
  let isDone = false

  async function read(token: string): Promise<number> {
    const request = get(`${url}/v1/account`, { agent, headers: { cookie: `session=${token}` } })
    const [response] = await once(request, 'response')
    response.resume()
    return response.statusCode
  }

  async function readRepeatedly(token: string): Promise<void> {
    await delay(Math.random() * pauseMs)
    while (!isDone) {
      const status = await read(token).catch(() => 0)
      answers.push({ at: performance.now(), status })
      await delay(pauseMs)
    }
  }

  for (let n = 0; n < clients; n += 1) void readRepeatedly(tokens[n % tokens.length] ?? '')
  t.teardown(() => {
    isDone = true
    agent.destroy()
  })

  /** How often each status was answered in the last `ms`; 0 is a request without an answer. */
  return (ms: number): Record<string, number> => {
    const counts: Record<string, number> = {}
    for (const { at, status } of answers) {
      if (at > performance.now() - ms) counts[status] = (counts[status] ?? 0) + 1
    }
    return counts
  }
}
