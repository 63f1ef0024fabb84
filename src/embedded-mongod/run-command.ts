import { spawn } from 'node:child_process'

export type CommandResult = { code: number | null; output: string }

/**
 * Runs a command without a shell and collects its standard output and standard error.
 * @param timeoutMs then the command is killed and `code` is null
 * @returns undefined if the command does not exist; never throws
 */
export function runCommand(command: string, args: string[], timeoutMs: number): Promise<CommandResult | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    // spawn's own timeout keeps this process alive when the command does not exist.
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
