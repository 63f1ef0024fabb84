import type { Connection } from '../../src/database/connection.ts'
import { answerQuestions, type Program, startProgram } from '../programs.ts'
import { bare } from './bare.ts'
import { oneTransaction, rookery } from './rookery.ts'

const sides = { bare, 'one-transaction': oneTransaction, rookery }

/** What is measured against each other. */
export type Side = keyof typeof sides

/** What only the server as it is can be told: how many processes it is, and a folder that gets a CPU profile of it. */
export type ServerOptions = { processes: number; profileIn: string | undefined }

/** To open, answered with the port; or how much CPU time was used until now, in microseconds. */
type Question = { connection: Connection; processes: number } | 'cpu'

/** A server; the CPU time is only that of its first process. */
export type Server = { url: string; port: number; cpu(): Promise<number>; end(): Promise<void> }

const isSide = (text: string | undefined): text is Side => text !== undefined && Object.hasOwn(sides, text)

/** Starts a server in a process of its own. */
export async function startServer(side: Side, connection: Connection, options: ServerOptions): Promise<Server> {
  const { processes, profileIn } = options
  const profiling = side === 'rookery' && profileIn ? ['--cpu-prof', `--cpu-prof-dir=${profileIn}`] : []
  const program: Program<Question, number> = startProgram(import.meta.filename, [side], profiling)
  const port = await program.ask({ connection, processes })
  return { url: `http://127.0.0.1:${port}`, port, cpu: () => program.ask('cpu'), end: program.end }
}

const [side] = process.argv.slice(2)
if (import.meta.main && isSide(side)) {
  let close = async () => {}
  answerQuestions<Question, number>(
    async (question) => {
      if (question === 'cpu') {
        const { user, system } = process.cpuUsage()
        return user + system
      }
      const service = await sides[side](question.connection, question.processes)
      close = async () => service.close()
      return Number(new URL(service.url).port)
    },
    () => close(),
  )
}
