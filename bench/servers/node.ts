import type { Connection } from '../../src/database/connection.ts'
import { handleRequests, type Program, startProgram } from '../programs.ts'
import { bare } from './bare.ts'
import { bcrypt, constant } from './floors.ts'
import { oneTransaction, rookery } from './rookery.ts'
import type { Server, ServerOptions } from './server.ts'

const servers = { bare, constant, bcrypt, 'one-transaction': oneTransaction, rookery }

/** The servers that run in this project's Node.js, from its dependencies. */
export type NodeSide = keyof typeof servers

/** Start, answered with the port; or the CPU time used so far, in microseconds. */
type Request = { connection: Connection; options: ServerOptions } | 'cpu'

export const isNodeSide = (text: string | undefined): text is NodeSide =>
  text !== undefined && Object.hasOwn(servers, text)

/** Starts a server in a process of its own. */
export async function startNodeServer(side: NodeSide, connection: Connection, options: ServerOptions): Promise<Server> {
  const { profileDir } = options
  const profiling = side === 'rookery' && profileDir ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : []
  const program: Program<Request, number> = startProgram(import.meta.filename, [side], profiling)
  const port = await program.request({ connection, options })
  return { port, pid: program.pid, cpuUs: () => program.request('cpu'), stop: program.stop }
}

const [side] = process.argv.slice(2)
if (import.meta.main && isNodeSide(side)) {
  let close = async () => {}
  handleRequests<Request, number>(
    async (request) => {
      if (request === 'cpu') {
        const { user, system } = process.cpuUsage()
        return user + system
      }
      const service = await servers[side](request.connection, request.options)
      close = async () => service.close()
      return Number(new URL(service.url).port)
    },
    () => close(),
  )
}
