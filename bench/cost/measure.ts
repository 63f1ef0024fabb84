import { setTimeout as sleep } from 'node:timers/promises'
import { bytesOf, type Sent, sendAll } from './client.ts'
import type { MeasuredServer } from './server.ts'
import { isRepeatable, type Variant } from './shapes.ts'

/** Per request. @property status - the most frequent one */
export type Cost = { serverUs: number; mongodUs: number; bytes: number; status: number; requests: number }

/** A unit of /proc is 10 ms: of 10, the error is at most a fifth. */
const minCpuUs = 100_000
const maxMs = 1_000
const warmUpCount = 16
const chunk = { min: 4, max: 256 }
/** One that takes longer needs no warm-up. */
const slowMs = 50
/** After a change: what it leaves to do, such as a sweep, belongs to it. */
const settleMs = 200

const isRead = (sent: Sent) => sent.method === 'GET'

/** Sends a request until it has used enough CPU time, or, if it serves only once, as often as there are some. */
export async function measure(server: MeasuredServer, variant: Variant, cpuUs = minCpuUs): Promise<Cost> {
  const requests = [variant.plain].flat() as Sent[] // an array of them, or one
  const isOnce = !isRepeatable(variant)
  const take = (count: number, from = 0) =>
    Array.from({ length: count }, (_, n) => requests[(from + n) % requests.length]).filter((sent) => sent !== undefined)
  const statuses = new Map<number, number>()
  if (!isOnce) {
    const warmUpAt = performance.now()
    await sendAll(server.port, take(1))
    if (performance.now() - warmUpAt < slowMs) await sendAll(server.port, take(warmUpCount))
  }

  const before = server.cpu()
  const used = () => {
    const now = server.cpu()
    return { server: now.server - before.server, mongod: now.mongod - before.mongod }
  }
  const startedAt = performance.now()
  let sent = 0
  for (let size = isOnce ? requests.length : chunk.min; ; size = Math.min(2 * size, chunk.max)) {
    for (const [status, count] of await sendAll(server.port, take(size, sent)))
      statuses.set(status, (statuses.get(status) ?? 0) + count)
    sent += size
    const { server: serverUs, mongod } = used()
    if (isOnce || serverUs + mongod >= cpuUs || performance.now() - startedAt > (maxMs * cpuUs) / minCpuUs) break
  }
  if (requests.some((each) => !isRead(each))) await sleep(settleMs)
  const { server: serverUs, mongod } = used()
  const [status = 0] = [...statuses].toSorted(([, one], [, other]) => other - one)[0] ?? []
  const bytes = requests.reduce((sum, each) => sum + bytesOf(each), 0) / requests.length
  return { serverUs: Math.max(0, serverUs / sent), mongodUs: Math.max(0, mongod / sent), bytes, status, requests: sent }
}
