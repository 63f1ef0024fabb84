import type { WriteStream } from 'node:tty'
import cliProgress from 'cli-progress'

/** Shows how far each phase is. */
export type Progress = { begin(name: string, total: number): { step: () => void; end: () => void } }

const linesEvery = 5_000

/** Bars on a terminal, plain lines elsewhere. */
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
        // An interrupt does not end the bot at once: the bot hears it itself.
        gracefulExit: false,
        // Switched off, it would stay so for the terminal's owner when the bot is ended by force.
        linewrap: null,
      })
      bar.start(total, 0)
      return { step: () => bar.increment(), end: () => bar.stop() }
    },
  }
}

/** One line when a phase ends, and one each five seconds before that. */
export function lines(stream: NodeJS.WritableStream): Progress {
  return {
    begin(name, total) {
      const began = performance.now()
      let done = 0
      const say = () => {
        const seconds = ((performance.now() - began) / 1000).toFixed(1)
        stream.write(`${name}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} in ${seconds} s\n`)
      }
      const timer = setInterval(say, linesEvery)
      return {
        step: () => {
          done += 1
        },
        end: () => {
          clearInterval(timer)
          say()
        },
      }
    },
  }
}
