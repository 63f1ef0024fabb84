import { once } from 'node:events'
import { Agent, get } from 'node:http'
import type { Test } from 'tap'

type Answer = { at: number; status: number }

const tickMs = 10

/** Sends signed-in reads at a constant rate, whether they are answered or not, until the end of the test. */
export function steadyTraffic(t: Test, url: string, tokens: readonly string[], perSecond: number) {
  const agent = new Agent({ keepAlive: true })
  const answers: Answer[] = []
  let sent = 0

  async function send(token: string): Promise<void> {
    const request = get(`${url}/v1/account`, { agent, headers: { cookie: `session=${token}` } })
    const [response] = await once(request, 'response')
    response.resume()
    answers.push({ at: performance.now(), status: response.statusCode })
  }

  const startedAt = performance.now()
  const timer = setInterval(() => {
    for (const due = ((performance.now() - startedAt) / 1_000) * perSecond; sent < due; sent += 1) {
      send(tokens[sent % tokens.length] ?? '').catch(() => answers.push({ at: performance.now(), status: 0 }))
    }
  }, tickMs)
  t.teardown(() => {
    clearInterval(timer)
    agent.destroy()
  })

  return {
    sent: () => sent,
    /** How often each status was answered in the last `ms`; 0 is a request without an answer. */
    statuses(ms = Number.POSITIVE_INFINITY): Record<string, number> {
      const counts: Record<string, number> = {}
      for (const { at, status } of answers) {
        if (at > performance.now() - ms) counts[status] = (counts[status] ?? 0) + 1
      }
      return counts
    },
  }
}
