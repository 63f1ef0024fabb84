import type { WriteStream } from 'node:tty'
import cliProgress from 'cli-progress'

/** Displays the progress of phases, one after the other. */
export type Progress = { begin(name: string, total: number): { step: () => void; end: () => void } }

const lineIntervalMs = 5_000

/** Progress bars on a terminal, plain lines elsewhere. */
export function showProgress(stream: WriteStream | NodeJS.WritableStream): Progress {
  return 'isTTY' in stream && stream.isTTY ? bars(stream) : lines(stream)
}

function bars(stream: NodeJS.WritableStream): Progress {
  return {
    begin(name, total) {
      const bar = new cliProgress.SingleBar({
        format: `${name.padEnd(10)} {bar} {value}/{total}  {duration_formatted}`,
        barCompleteChar: '█',
        barIncompleteChar: '░',
        barsize: 30,
        stream,
        // The bot handles SIGINT itself and continues with the verification.
        gracefulExit: false,
        // A forced exit would leave line wrapping switched off in the terminal.
        linewrap: null,
      })
      bar.start(total, 0)
      return { step: () => bar.increment(), end: () => bar.stop() }
    },
  }
}

/** Prints a line every five seconds and at the end of each phase. */
export function lines(stream: NodeJS.WritableStream): Progress {
  return {
    begin(name, total) {
      const startedAt = performance.now()
      let done = 0
      const print = () => {
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
        stream.write(`${name}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} in ${seconds} s\n`)
      }
      const timer = setInterval(print, lineIntervalMs)
      return {
        step: () => {
          done += 1
        },
        end: () => {
          clearInterval(timer)
          print()
        },
      }
    },
  }
}
