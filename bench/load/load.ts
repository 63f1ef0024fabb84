import { handleRequests, type Program, startProgram } from '../programs.ts'
import { openConnection } from './connection.ts'
import type { Job, Outcome } from './plan.ts'
import { runAtRate } from './rate.ts'
import { requestsOf } from './requests.ts'

/** Starts the load in a process of its own, so that it blocks neither the server nor the measurement. */
export const startLoad = (): Program<Job, Outcome> => startProgram(import.meta.filename)

const isSuccess = (status: number) => status >= 200 && status < 300

/** Keeps every connection busy with one request at a time for the job's duration, and waits for the last responses. */
async function runClosedLoop({ port, durationMs, plans, values, done: before }: Job): Promise<Outcome> {
  let inTime = 0
  const refused: Outcome['refused'] = []
  const done = [...before]
  const { promise: broken, reject } = Promise.withResolvers<never>()
  let until = Number.POSITIVE_INFINITY

  const connections = plans.map((plan, n) => {
    const request = requestsOf(plan, values)
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    const sendNext = () => connection.send(request(done[n] ?? 0))
    const onResponse = (status: number) => {
      const answered = done[n] ?? 0
      done[n] = answered + 1
      const isLast = performance.now() > until
      if (!isSuccess(status)) refused.push({ connection: n, request: answered, status })
      else if (!isLast) inTime += 1
      if (!isLast) return sendNext()
      connection.close()
      resolve()
    }
    const connection = openConnection(port, onResponse, reject)
    return { sendNext, ended, open: connection.open }
  })

  await Promise.race([Promise.all(connections.map(({ open }) => open)), broken])
  const usage = process.cpuUsage()
  until = performance.now() + durationMs
  for (const { sendNext } of connections) sendNext()
  await Promise.race([Promise.all(connections.map(({ ended }) => ended)), broken])
  const { user, system } = process.cpuUsage(usage)
  return { inTime, done, refused, latenciesMs: [], cpuUs: user + system }
}

const run = (job: Job): Promise<Outcome> =>
  job.perSecond === undefined ? runClosedLoop(job) : runAtRate(job, job.perSecond)

if (import.meta.main) handleRequests(run)
