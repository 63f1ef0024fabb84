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
