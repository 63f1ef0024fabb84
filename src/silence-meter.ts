const tickMs = 100

/** Counts ticks of its own timer: while this process is stopped or starved of CPU, signs of life wait unread. */
export function silenceMeter(onTick: () => void = () => {}) {
  let ticks = 0
  const timer = setInterval(() => {
    ticks += 1
    onTick()
  }, tickMs).unref()
  return {
    /** Records a sign of life. */
    reset(): void {
      ticks = 0
    },
    silentMs: (): number => ticks * tickMs,
    close: (): void => clearInterval(timer),
  }
}
