import { printError } from './command.ts'

const intervalMs = 5_000

/** Prints where a long command is, every five seconds. */
export function progress() {
  let line = ''
  const timer = setInterval(() => {
    if (line) printError(line)
    line = ''
  }, intervalMs)
  return {
    show(next: string): void {
      line = next
    },
    end: () => clearInterval(timer),
  }
}
