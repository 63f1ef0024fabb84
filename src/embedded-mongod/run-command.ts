import { spawn } from 'node:child_process'

export type CommandResult = { code: number | null; output: string }

/**
 * Runs a command without a shell and collects what it writes (both streams, in order of arrival).
 * @param timeoutMs after this many milliseconds the command is killed and `code` is null
 * @returns undefined if there is no such command; never throws
 */
export function runCommand(command: string, args: string[], timeoutMs: number): Promise<CommandResult | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    // Not spawn's own timeout: that one keeps the process alive when there is no such command.
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    let output = ''
    const collect = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      resolve(error.code === 'ENOENT' ? undefined : { code: null, output: error.message })
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, output })
    })
  })
}
