import { handleRequests, type Program, startProgram } from '../programs.ts'
import { openConnection } from './connection.ts'
import { type Job, numeral, type Outcome, requestAt } from './plan.ts'

/** Starts the load in a process of its own, so that it blocks neither the server nor the measurement. */
export const startLoad = (): Program<Job, Outcome> => startProgram(import.meta.filename)

/** A template in bytes, with the offset of its slot, or -1. */
function compile(template: string) {
  return { bytes: Buffer.from(template), at: template.search(/#+/) }
}

const isSuccess = (status: number) => status >= 200 && status < 300

/** Keeps every connection busy with one request at a time for the job's duration, and waits for the last responses. */
async function run({ port, durationMs, plans, values, done: before }: Job): Promise<Outcome> {
  let inTime = 0
  const refused: Outcome['refused'] = []
  const done = [...before]
  const { promise: broken, reject } = Promise.withResolvers<never>()
  let until = Number.POSITIVE_INFINITY

  const connections = plans.map((plan, n) => {
    const templates = plan.templates.map(compile)
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    const sendNext = () => {
      const { template, value } = requestAt(plan, values.length, done[n] ?? 0)
      const request = templates[template]
      if (!request) throw new Error(`no template ${template}`)
      // The previous request has its response, so its bytes can be reused.
      if (request.at !== -1) request.bytes.write(values[value] ?? numeral(value), request.at, 'latin1')
      connection.send(request.bytes)
    }
    const onResponse = (status: number) => {
      const request = done[n] ?? 0
      done[n] = request + 1
      const isLast = performance.now() > until
      if (!isSuccess(status)) refused.push({ connection: n, request, status })
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
  return { inTime, done, refused, cpuUs: user + system }
}

if (import.meta.main) handleRequests(run)
