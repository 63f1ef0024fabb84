import { type RunView, viewLine, viewLines } from './view.ts'

/** A stream of a terminal has `isTTY` and `columns`. */
export type OutputStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number }

export type Display = {
  /** Shows the state of the run; call it once a second. */
  show: (view: RunView) => void
  /** Prints a line for good, above the display. */
  print: (line: string) => void
}

const lineIntervalSeconds = 5
const defaultColumns = 80
const upAndClear = (lines: number) => (lines === 0 ? '' : `\x1b[${lines}A\x1b[J`)

/** Redraws itself on a terminal; elsewhere prints a line every five seconds. */
export function openDisplay(stream: OutputStream): Display {
  return stream.isTTY ? terminalDisplay(stream) : lineDisplay(stream)
}

function terminalDisplay(stream: OutputStream): Display {
  let drawn: string[] = []
  const draw = (lines: string[], before = '') => {
    stream.write(`${upAndClear(drawn.length)}${before}${lines.map((line) => `${line}\n`).join('')}`)
    drawn = lines
  }
  return {
    // One column stays free: some terminals break a line that fills them all.
    show: (view) => draw(viewLines(view, (stream.columns || defaultColumns) - 1)),
    print: (line) => draw(drawn, `${line}\n`),
  }
}

function lineDisplay(stream: OutputStream): Display {
  let shown = 0
  return {
    show(view) {
      const due = Math.floor(view.elapsedMs / 1000 / lineIntervalSeconds)
      if (due === shown) return
      shown = due
      stream.write(`${viewLine(view)}\n`)
    },
    print: (line) => void stream.write(`${line}\n`),
  }
}
