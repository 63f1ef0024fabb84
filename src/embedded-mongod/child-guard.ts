import { type ChildProcess, spawn } from 'node:child_process'

export type GuardedChild = {
  /** mongod's pid, undefined until known */
  pid(): number | undefined
  /** Resolves when mongod is gone, with its exit code (128 + n for signal n); never rejects. */
  exited: Promise<number | null>
  /** Asks mongod to end, and kills it after 4 s; resolves when it is gone. */
  stop(): Promise<void>
}

/*
 * Standard input is a pipe from the server, closed by the system however the server ends. The guard waits for that,
 * then ends mongod; it alone keeps standard output open, so that its own death is noticed too. The outer shell is
 * mongod's parent and reports its end.
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
 * Starts mongod so that no end of this process leaves it running: within 5 s of it mongod is gone. It is in a process
 * group of its own, out of reach of a Ctrl-C.
 * @param errorFd an open file for what mongod says before its log is open
 */
export function spawnGuarded(binary: string, args: string[], errorFd: number): GuardedChild {
  const shell = spawn('/bin/sh', ['-c', guardScript, 'rookery-mongod', binary, ...args], {
    detached: true,
    stdio: ['pipe', 'pipe', errorFd],
  })
  let pid: number | undefined
  shell.stdin?.on('error', () => undefined)
  shell.stdout?.on('data', (chunk: Buffer) => {
    pid ??= Number.parseInt(chunk.toString(), 10)
  })
  // The outer shell was killed, or mongod has ended: either way nothing may stay.
  shell.on('exit', () => shell.stdin?.destroy())
  shell.stdout?.on('end', () => stopUnguarded(shell, pid))
  const gone = new Promise<number | null>((resolve) => {
    shell.on('error', () => resolve(null))
    shell.on('close', (code) => resolve(code))
  })
  return {
    pid: () => pid,
    exited: gone,
    stop: async () => {
      shell.stdin?.destroy()
      await gone
    },
  }
}

/** Without its guard mongod would outlive the server: it ends here, and whoever watches starts it again. */
function stopUnguarded(shell: ChildProcess, pid: number | undefined): void {
  if (pid === undefined) return
  const stillRuns = () => shell.exitCode === null && shell.signalCode === null
  const send = (signal: NodeJS.Signals) => {
    try {
      if (stillRuns()) process.kill(pid, signal)
    } catch {
      // It ended by itself in this moment.
    }
  }
  setTimeout(send, 200, 'SIGTERM').unref()
  setTimeout(send, 4_000, 'SIGKILL').unref()
}
