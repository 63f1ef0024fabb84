import type { LocalServer } from '../spawn-server.ts'
import { type BeginFault, momentaryFault } from './fault.ts'
import { type ProcessName, pidOf, sendSignal } from './processes.ts'
import { randomMs, seconds } from './random-time.ts'

/** Faults of processes: SIGKILL, and SIGSTOP with SIGCONT a few seconds later. */
export function processFaults(server: LocalServer) {
  function kill(name: ProcessName): BeginFault {
    // Until its parent has noticed, the system accepts signals for a process that was killed.
    const killed = new Set<number>()
    return async () => {
      const { program } = server
      const pid = await pidOf(name, server)
      if (pid === undefined || killed.has(pid) || !sendSignal(pid, 'SIGKILL')) return undefined
      killed.add(pid)
      if (name === 'server') await program.ended
      return momentaryFault(`process ${pid}`)
    }
  }

  function freeze(name: ProcessName, msMin: number, msMax: number): BeginFault {
    return async () => {
      const pid = await pidOf(name, server)
      if (pid === undefined || !sendSignal(pid, 'SIGSTOP')) return undefined
      const lastsMs = randomMs(msMin, msMax)
      return {
        detail: `process ${pid} for ${seconds(lastsMs)}`,
        lastsMs,
        async end() {
          if ((await pidOf(name, server)) !== pid) return 'which the server has replaced'
          sendSignal(pid, 'SIGCONT')
          return undefined
        },
      }
    }
  }

  return {
    'kill-mongod': kill('mongod'),
    'kill-server': kill('server'),
    'kill-writer': kill('writer'),
    'kill-api': kill('api'),
    'frozen-mongod': freeze('mongod', 1_000, 8_000),
    // Past the 2 s after which the primary replaces it.
    'frozen-writer': freeze('writer', 3_000, 8_000),
  }
}
