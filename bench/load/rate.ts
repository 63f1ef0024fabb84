import { setImmediate, setTimeout } from 'node:timers/promises'
import { openConnection } from './connection.ts'
import type { Job, Outcome } from './plan.ts'
import { requestsOf } from './requests.ts'

/** Timers fire up to 1 ms late: the rest of a wait polls, which takes a fraction of a core. */
const timerMs = 2

async function waitUntil(timeMs: number): Promise<void> {
  const restMs = timeMs - performance.now()
  if (restMs > timerMs) await setTimeout(restMs - timerMs)
  while (performance.now() < timeMs) await setImmediate()
}

/**
 * Sends requests at equal intervals, whatever happens to those before (an open model), and waits for the last responses.
 * A request that finds every connection busy waits for one, and its latency counts from when it was due: a server
 * that stalls is charged for the requests that it delayed.
 */
export async function runAtRate(job: Job, perSecond: number): Promise<Outcome> {
  const { port, durationMs, plans, values, done: before } = job
  const done = [...before]
  const refused: Outcome['refused'] = []
  const latenciesMs: number[] = []
  const free: ((dueMs: number) => void)[] = []
  const waiting: number[] = []
  let inFlight = 0
  const { promise: broken, reject } = Promise.withResolvers<never>()
  const { promise: answered, resolve } = Promise.withResolvers<void>()
  let isOver = false

  const connections = plans.map((plan, n) => {
    const request = requestsOf(plan, values)
    let dueMs = 0
    const send = (due: number) => {
      dueMs = due
      connection.send(request(done[n] ?? 0))
    }
    const onResponse = (status: number) => {
      const number = done[n] ?? 0
      done[n] = number + 1
      if (status >= 200 && status < 300) latenciesMs.push(performance.now() - dueMs)
      else refused.push({ connection: n, request: number, status })
      const next = waiting.shift()
      if (next !== undefined) return send(next)
      free.unshift(send)
      inFlight -= 1
      if (isOver && inFlight === 0) resolve()
    }
    const connection = openConnection(port, onResponse, reject)
    free.push(send)
    return connection
  })

  const arrive = async () => {
    const count = Math.max(1, Math.round((durationMs / 1_000) * perSecond))
    const startMs = performance.now()
    for (let arrival = 0; arrival < count; arrival += 1) {
      const dueMs = startMs + (arrival * 1_000) / perSecond
      await waitUntil(dueMs)
      const send = free.pop()
      if (!send) waiting.push(dueMs)
      else {
        inFlight += 1
        send(dueMs)
      }
    }
    isOver = true
    if (inFlight > 0) await answered
  }

  try {
    await Promise.race([Promise.all(connections.map(({ open }) => open)), broken])
    const usage = process.cpuUsage()
    await Promise.race([arrive(), broken])
    const { user, system } = process.cpuUsage(usage)
    return { inTime: latenciesMs.length, done, refused, latenciesMs, cpuUs: user + system }
  } finally {
    for (const { close } of connections) close()
  }
}
