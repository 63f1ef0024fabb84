import { setTimeout as sleep } from 'node:timers/promises'
import { openConnection } from '../load/connection.ts'
import type { Plan } from '../load/plan.ts'
import { requestsOf } from '../load/requests.ts'
import { handleRequests, type Program, startProgram } from '../programs.ts'

export type Job = {
  port: number
  durationMs: number
  perSecond: number
  /** One for each connection: at most so many requests are in flight. */
  plans: readonly Plan[]
  values: readonly string[]
  /** The number of earlier requests, by connection. */
  done: readonly number[]
}

export type Arrivals = {
  /** Requests acknowledged within the duration, and within 5 seconds of their arrival. */
  acknowledged: number
  late: number
  /** 503 with `Retry-After`. */
  refused: number
  /** Other responses, by status, and broken connections. */
  others: Record<string, number>
  /** Arrivals that found every connection busy. */
  unsent: number
  /** The 99th percentile of how long an acknowledgement took, in milliseconds. */
  p99Ms: number
  done: number[]
  /** CPU time of the load itself, in microseconds. */
  cpuUs: number
}

const lateMs = 5_000
/** Few enough for any server's listen queue. */
const openedAtOnce = 100

/** A connection without a request in flight. */
type Sender = { send(): void; close(): void }

/** Starts the arrivals in a process of its own, so that they block neither the server nor the measurement. */
export const startArrivals = (): Program<Job, Arrivals> => startProgram(import.meta.filename)

const isSuccess = (status: number) => status >= 200 && status < 300

/**
 * Sends requests at a rate, whatever happens to those before them (an open model), and waits for the last responses.
 * The intervals are exponentially distributed.
 */
async function run({ port, durationMs, perSecond, plans, values, done: before }: Job): Promise<Arrivals> {
  const counts = { acknowledged: 0, late: 0, refused: 0, unsent: 0 }
  const others: Record<string, number> = {}
  const waitsMs: number[] = []
  const done = [...before]
  let until = Number.POSITIVE_INFINITY

  const count = (status: number, response: string, waitedMs: number) => {
    const isRefusal = status === 503 && response.includes('\r\nretry-after: ')
    if (isRefusal) counts.refused += 1
    else if (!isSuccess(status)) others[status] = (others[status] ?? 0) + 1
    else if (waitedMs > lateMs) counts.late += 1
    else if (performance.now() <= until) {
      counts.acknowledged += 1
      waitsMs.push(waitedMs)
    }
  }
  const free: Sender[] = []
  const unopened = plans.map((plan, n) => ({ n, request: requestsOf(plan, values) }))
  let inFlight = 0

  const open = (slot: (typeof unopened)[number]): Sender => {
    const { n, request } = slot
    let sentAt = 0
    const onResponse = (status: number, response: string) => {
      done[n] = (done[n] ?? 0) + 1
      inFlight -= 1
      count(status, response, performance.now() - sentAt)
      free.push(sender)
    }
    const onBroken = () => {
      if (free.includes(sender)) free.splice(free.indexOf(sender), 1)
      else inFlight -= 1
      others.broken = (others.broken ?? 0) + 1
      connection.close()
      unopened.push(slot)
    }
    const connection = openConnection(port, onResponse, onBroken)
    connection.open.catch(() => undefined)
    const sender = {
      send() {
        sentAt = performance.now()
        inFlight += 1
        connection.send(request(done[n] ?? 0))
      },
      close: connection.close,
    }
    return sender
  }
  const nextFree = (): Sender | undefined => {
    const sender = free.pop()
    if (sender) return sender
    const slot = unopened.pop()
    return slot && open(slot)
  }
  const intervalMs = () => (-1_000 * Math.log(1 - Math.random())) / perSecond
  const arrive = async () => {
    for (let next = performance.now(); next < until; await sleep(1)) {
      for (; next < Math.min(performance.now(), until); next += intervalMs()) {
        const sender = nextFree()
        if (sender) sender.send()
        else counts.unsent += 1
      }
    }
    while (inFlight > 0) await sleep(10)
  }

  /** Each with a request: one that stays silent for 10 seconds would be closed. */
  async function openAll(): Promise<void> {
    while (unopened.length > 0) {
      for (const slot of unopened.splice(-openedAtOnce)) open(slot).send()
      while (inFlight > 0) await sleep(1)
    }
  }

  await openAll()
  Object.assign(counts, { acknowledged: 0, late: 0, refused: 0 })
  for (const status of Object.keys(others)) delete others[status]
  waitsMs.length = 0
  const usage = process.cpuUsage()
  until = performance.now() + durationMs
  await arrive()
  const { user, system } = process.cpuUsage(usage)
  for (const { close } of free) close()
  const sorted = waitsMs.toSorted((one, other) => one - other)
  return { ...counts, others, p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0, done, cpuUs: user + system }
}

if (import.meta.main) handleRequests(run)
