import { answerQuestions, type Program, startProgram } from '../programs.ts'
import { openConnection } from './connection.ts'
import { type Job, numeral, type Outcome, requestAt } from './plan.ts'

/** Starts the load in a process of its own: it must not take the time of the server, nor of the one that counts. */
export const startLoad = (): Program<Job, Outcome> => startProgram(import.meta.filename)

/** A template in bytes, with the place of its slot, or -1. */
function compile(template: string) {
  return { bytes: Buffer.from(template), at: template.search(/#+/) }
}

const isDone = (status: number) => status >= 200 && status < 300

/** Keeps every connection busy for a while, each with one request at a time, and waits for the last answers. */
async function run({ port, milliseconds, plans, values, done: before }: Job): Promise<Outcome> {
  let inTime = 0
  const refused: Outcome['refused'] = []
  const done = [...before]
  const { promise: broken, reject } = Promise.withResolvers<never>()
  let until = Number.POSITIVE_INFINITY

  const lines = plans.map((plan, n) => {
    const templates = plan.templates.map(compile)
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    const ask = () => {
      const { template, value } = requestAt(plan, values.length, done[n] ?? 0)
      const request = templates[template]
      if (!request) throw new Error(`no template ${template}`)
      // The one before has been answered, so its bytes are free.
      if (request.at !== -1) request.bytes.write(values[value] ?? numeral(value), request.at, 'latin1')
      connection.send(request.bytes)
    }
    const answered = (status: number) => {
      const request = done[n] ?? 0
      done[n] = request + 1
      const isLast = performance.now() > until
      if (!isDone(status)) refused.push({ connection: n, request, status })
      else if (!isLast) inTime += 1
      if (!isLast) return ask()
      connection.close()
      resolve()
    }
    const connection = openConnection(port, answered, reject)
    return { ask, ended, open: connection.open }
  })

  await Promise.race([Promise.all(lines.map(({ open }) => open)), broken])
  const usage = process.cpuUsage()
  const from = performance.now()
  until = from + milliseconds
  for (const { ask } of lines) ask()
  await Promise.race([Promise.all(lines.map(({ ended }) => ended)), broken])
  const { user, system } = process.cpuUsage(usage)
  return { inTime, done, refused, cpu: user + system }
}

if (import.meta.main) answerQuestions(run)
