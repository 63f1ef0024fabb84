import { closeSync, openSync } from 'node:fs'

/** npm and the terminal both deliver one Ctrl-C: a repeat within this time is not a second one. */
const sameSignalMs = 1_000

export type ShutdownSignal = 'SIGINT' | 'SIGTERM'

/** Calls `shutDown` for the first SIGINT or SIGTERM; a second one exits with `exitCode`. */
export function onShutdownSignal(
  shutDown: (signal: ShutdownSignal) => void,
  exitCode: (signal: ShutdownSignal) => number,
): void {
  let receivedAt: number | undefined
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (receivedAt === undefined) {
        receivedAt = performance.now()
        shutDown(signal)
      } else if (performance.now() - receivedAt > sameSignalMs) process.exit(exitCode(signal))
    })
  }
}

/** Calls `reload` for SIGHUP, unless the process gets it because its terminal closes: that ends it as SIGTERM does. */
export function onHangUp(reload: () => void): void {
  const { isTTY: hadTerminal } = process.stdin
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) process.kill(process.pid, 'SIGTERM')
    else reload()
  })
}

/** Whether the process still has a controlling terminal: /dev/tty stands for it. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}
