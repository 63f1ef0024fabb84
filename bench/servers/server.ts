import type { Connection } from '../../src/database/connection.ts'
import { handleRequests, type Program, startProgram } from '../programs.ts'
import { bare } from './bare.ts'
import { oneTransaction, rookery } from './rookery.ts'

const sides = { bare, 'one-transaction': oneTransaction, rookery }

/** The servers that are compared. */
export type Side = keyof typeof sides

/** Options of Rookery only: the number of processes, and a directory for CPU profiles. */
export type ServerOptions = { processes: number; profileDir: string | undefined }

/** Start, answered with the port; or the CPU time used so far, in microseconds. */
type Request = { connection: Connection; processes: number } | 'cpu'

/** A server. The CPU time is that of its first process only. */
export type Server = { url: string; port: number; cpuUs(): Promise<number>; stop(): Promise<void> }

const isSide = (text: string | undefined): text is Side => text !== undefined && Object.hasOwn(sides, text)

/** Starts a server in a process of its own. */
export async function startServer(side: Side, connection: Connection, options: ServerOptions): Promise<Server> {
  const { processes, profileDir } = options
  const profiling = side === 'rookery' && profileDir ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : []
  const program: Program<Request, number> = startProgram(import.meta.filename, [side], profiling)
  const port = await program.request({ connection, processes })
  return { url: `http://127.0.0.1:${port}`, port, cpuUs: () => program.request('cpu'), stop: program.stop }
}

const [side] = process.argv.slice(2)
if (import.meta.main && isSide(side)) {
  let close = async () => {}
  handleRequests<Request, number>(
    async (request) => {
      if (request === 'cpu') {
        const { user, system } = process.cpuUsage()
        return user + system
      }
      const service = await sides[side](request.connection, request.processes)
      close = async () => service.close()
      return Number(new URL(service.url).port)
    },
    () => close(),
  )
}
