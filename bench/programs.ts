import { fork } from 'node:child_process'
import { once } from 'node:events'

/** A child process that handles requests, one at a time. */
export type Program<Request extends object | string, Response> = {
  pid: number | undefined
  request(request: Request): Promise<Response>
  stop(): Promise<void>
}

/** Starts a process that calls handleRequests(). */
export function startProgram<Request extends object | string, Response>(
  file: string,
  args: readonly string[] = [],
  execArgv: readonly string[] = [],
): Program<Request, Response> {
  const child = fork(file, args, { execArgv: [...execArgv], serialization: 'advanced' })
  const exited = once(child, 'exit')
  const failed = exited.then(([code, signal]) => {
    throw new Error(`${file} exited (${signal ?? code}) before its work was done`)
  })
  // Only a pending request reports it.
  failed.catch(() => undefined)
  return {
    pid: child.pid,
    async request(request) {
      const responded = once(child, 'message')
      child.send(request)
      const [response] = await Promise.race([responded, failed])
      // The other end is handleRequests() with the same types.
      return response as Response
    },
    async stop() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

/**
 * In such a process: handles each request, and exits with its parent.
 * @param close - runs before the exit.
 */
export function handleRequests<Request extends object | string, Response>(
  handle: (request: Request) => Promise<Response>,
  close = async () => {},
): void {
  // Ctrl-C reaches all processes; the parent stops this one in order.
  process.on('SIGINT', () => undefined)
  process.on('disconnect', () => void close().finally(() => process.exit()))
  process.on('message', async (request) => {
    // The other end is startProgram() with the same types.
    process.send?.(await handle(request as Request))
  })
}
