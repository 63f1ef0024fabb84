import { closeSync, openSync } from 'node:fs'

/** The terminal, npm and tsx may each deliver one Ctrl-C: a repeat within this time is not a second one. */
const sameSignalMs = 1_000

/** The exit code of a command that a signal has interrupted, as a shell reports it: 128 and the signal's number. */
export const interruptedExitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

export type ShutdownSignal = keyof typeof interruptedExitCodes

/** Calls `shutDown` for the first of the signals, and `force` for each one more than a second after it. */
export function onShutdownSignal(
  shutDown: (signal: ShutdownSignal) => void,
  force: (signal: ShutdownSignal) => void,
  signals: readonly ShutdownSignal[] = ['SIGINT', 'SIGTERM'],
): void {
  let receivedAt: number | undefined
  for (const signal of signals) {
    process.on(signal, () => {
      if (receivedAt === undefined) {
        receivedAt = performance.now()
        shutDown(signal)
      } else if (performance.now() - receivedAt > sameSignalMs) force(signal)
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
