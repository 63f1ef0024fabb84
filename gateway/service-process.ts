import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ServiceName } from '../src/services.ts'
import { StartError } from '../src/start-error.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

export type ServiceProcess = {
  address: string
  /** Resolves when it answers that it is ready. @throws StartError if it exits first */
  ready(): Promise<void>
  exited: Promise<number | null>
  kill(signal: NodeJS.Signals): void
}

/** Starts src/main.ts for one service, and prints its lines behind its name. It ends with this process. */
export function startServiceProcess(name: ServiceName, port: number, env: NodeJS.ProcessEnv): ServiceProcess {
  const child = spawn(process.execPath, ['run.mjs', 'gateway/run-service.ts'], {
    cwd: root,
    env: { ...process.env, ...env, SERVICES: name, HOST: '127.0.0.1', PORT: String(port) },
    stdio: ['pipe', 'pipe', 'pipe'],
    // Ctrl-C on a terminal must not reach it before the gateway has answered what runs.
    detached: true,
  })
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on('line', (line) => process.stdout.write(`${name.padEnd(8)} │ ${line}\n`))
  const exited = once(child, 'close').then(([code]) => code as number | null) // of Node's documentation
  let hasExited = false
  exited.then(() => {
    hasExited = true
  })
  const address = `127.0.0.1:${port}`
  return {
    address,
    exited,
    async ready() {
      while (!hasExited) {
        const response = await fetch(`http://${address}/health/ready`).catch(() => undefined)
        if (response?.ok) return
        await sleep(100)
      }
      throw new StartError(`The service ${name} did not start: see its lines above.`, 'out-of-reach')
    },
    kill: (signal) => void (hasExited || child.kill(signal)),
  }
}
