import { type ChildProcess, spawn } from 'node:child_process'

export type GuardedChild = {
  pid(): number | undefined
  /** Resolves with the exit code (128 + n for signal n); never rejects. */
  exited: Promise<number | null>
  /** Sends SIGTERM, and SIGKILL after 4 s; resolves when the program has exited. */
  stop(): Promise<void>
}

/*
 * Standard input is a pipe from the server, which the kernel closes however the server exits. The guard waits for that
 * and then stops mongod. Only the guard keeps standard output open, so that its own exit is noticed too. The outer
 * shell is mongod's parent and returns its exit code.
 */
const guardScript = `
exec 3<&0 4>&1 </dev/null >/dev/null
"$@" 3<&- 4>&- &
mongod=$!
echo "$mongod" >&4
(
  read -r nothing <&3
  kill -TERM "$mongod"
  for second in 1 2 3 4; do
    sleep 1 3<&- 4>&-
    kill -0 "$mongod" || exit
  done
  kill -KILL "$mongod"
) 2>/dev/null &
guard=$!
exec 3<&- 4>&-
wait "$mongod"
code=$?
kill -KILL "$guard" 2>/dev/null
exit "$code"
`

/**
 * Spawns a program that exits within 5 s of this process, however this process exits. Ctrl-C does not reach it.
 * @param errorFd an open file for its standard error: mongod writes there before it opens its log
 * @param env its environment; default: this process's
 */
export function spawnGuarded(
  binary: string,
  args: string[],
  errorFd: number,
  env?: Record<string, string | undefined>,
): GuardedChild {
  const shell = spawn('/bin/sh', ['-c', guardScript, 'rookery-mongod', binary, ...args], {
    detached: true,
    stdio: ['pipe', 'pipe', errorFd],
    ...(env && { env }),
  })
  let pid: number | undefined
  shell.stdin?.on('error', () => undefined)
  shell.stdout?.on('data', (chunk: Buffer) => {
    pid ??= Number.parseInt(chunk.toString(), 10)
  })
  shell.on('exit', () => shell.stdin?.destroy())
  shell.stdout?.on('end', () => stopUnguarded(shell, pid))
  const exited = new Promise<number | null>((resolve) => {
    shell.on('error', () => resolve(null))
    shell.on('close', (code) => resolve(code))
  })
  return {
    pid: () => pid,
    exited,
    stop: async () => {
      shell.stdin?.destroy()
      await exited
    },
  }
}

/** Without its guard the program could outlive this process: stops it here, and its supervisor restarts it. */
function stopUnguarded(shell: ChildProcess, pid: number | undefined): void {
  if (pid === undefined) return
  const stillRuns = () => shell.exitCode === null && shell.signalCode === null
  const send = (signal: NodeJS.Signals) => {
    try {
      if (stillRuns()) process.kill(pid, signal)
    } catch {}
  }
  setTimeout(send, 200, 'SIGTERM').unref()
  setTimeout(send, 4_000, 'SIGKILL').unref()
}
