import { spawn } from 'node:child_process'

export type CommandResult = { code: number | null; output: string }

/** Collects stdout and stderr; `code` is null after the timeout. Resolves with undefined if the command is missing. */
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
