import { escapeHtml } from './escape.ts'

const width = 640
const height = 180
const margin = { top: 12, right: 8, bottom: 22, left: 78 }
const plotWidth = width - margin.left - margin.right
const plotHeight = height - margin.top - margin.bottom

/** One line of a chart; null leaves a gap. `className` gives its colour. */
export type Line = { label: string; className: string; values: readonly (number | null)[] }

/** A chart over the seconds of a run, the first line on top. `format` writes the labels of the vertical axis. */
export function timeChart(title: string, lines: readonly Line[], format: (value: number) => string): string {
  const length = Math.max(2, ...lines.map(({ values }) => values.length))
  const top = niceCeiling(Math.max(0, ...lines.flatMap(({ values }) => values.map((value) => value ?? 0))))
  const x = (second: number) => margin.left + (second / (length - 1)) * plotWidth
  const y = (value: number) => margin.top + plotHeight - (value / top) * plotHeight
  const paths = lines
    .toReversed()
    .map(({ className, values }) => `<path class="line ${className}" d="${pathOf(values, x, y)}"/>`)
  return figure(title, legend(lines), [...gridLines(top, y, format), ...timeLabels(length, x), ...paths])
}

export type Row = { label: string; points: readonly { className: string; value: number | null; title: string }[] }

/** Points on a logarithmic scale of milliseconds, one row for each label; of points that meet, the first is on top. */
export function dotChart(title: string, legendLines: readonly Omit<Line, 'values'>[], rows: readonly Row[]): string {
  const values = rows.flatMap(({ points }) => points.flatMap(({ value }) => (value === null ? [] : [value])))
  const low = 10 ** Math.floor(Math.log10(Math.max(0.01, Math.min(...values, 1))))
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values, low * 10)))
  const left = 170
  const x = (value: number) =>
    left + (Math.log10(Math.max(low, value) / low) / Math.log10(high / low)) * (width - left - 34)
  const rowHeight = 22
  const bottom = rows.length * rowHeight + 8
  const decades: string[] = []
  for (let value = low; value <= high * 1.001; value *= 10)
    decades.push(
      `<line class="grid" x1="${round(x(value))}" x2="${round(x(value))}" y1="0" y2="${bottom}"/>` +
        `<text class="tick" x="${round(x(value))}" y="${bottom + 15}" text-anchor="middle">${value >= 1000 ? `${value / 1000} s` : `${Number(value.toPrecision(1))} ms`}</text>`,
    )
  const drawn = rows.map(({ label, points }, i) => {
    const y = i * rowHeight + 15
    const known = points.flatMap(({ value }) => (value === null ? [] : [x(value)]))
    const span = `<line class="span" x1="${round(Math.min(...known))}" x2="${round(Math.max(...known))}" y1="${y}" y2="${y}"/>`
    const dots = points
      .toReversed()
      .map(({ className, value, title }) =>
        value === null
          ? ''
          : `<circle class="dot ${className}" cx="${round(x(value))}" cy="${y}" r="5"><title>${escapeHtml(title)}</title></circle>`,
      )
    return `<text class="label" x="${left - 10}" y="${y + 4}" text-anchor="end">${escapeHtml(label)}</text>${known.length > 0 ? span : ''}${dots.join('')}`
  })
  return figure(title, legend(legendLines), [...decades, ...drawn], bottom + 24, 'wide')
}

function figure(title: string, key: string, content: readonly string[], tall = height, className = ''): string {
  const label = escapeHtml(title)
  const svg = `<svg viewBox="0 0 ${width} ${tall}" role="img" aria-label="${label}">${content.join('')}</svg>`
  return `<figure${className && ` class="${className}"`}><figcaption>${label}${key}</figcaption>${svg}</figure>`
}

function legend(lines: readonly Omit<Line, 'values'>[]): string {
  if (lines.length < 2) return ''
  return `<span class="key">${lines.map(({ label, className }) => `<span class="${className}">${escapeHtml(label)}</span>`).join('')}</span>`
}

function gridLines(top: number, y: (value: number) => number, format: (value: number) => string): string[] {
  return [0, top / 2, top].map(
    (value) =>
      `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${round(y(value))}" y2="${round(y(value))}"/>` +
      `<text class="tick" x="${margin.left - 6}" y="${round(y(value) + 4)}" text-anchor="end">${escapeHtml(format(value))}</text>`,
  )
}

function timeLabels(length: number, x: (second: number) => number): string[] {
  const last = length - 1
  return [0, Math.round(last / 2), last].map((second, i) => {
    const anchor = ['start', 'middle', 'end'][i]
    return `<text class="tick" x="${round(x(second))}" y="${height - 6}" text-anchor="${anchor}">${second} s</text>`
  })
}

function pathOf(values: Line['values'], x: (second: number) => number, y: (value: number) => number): string {
  let isPenDown = false
  const steps = values.map((value, second) => {
    if (value === null) {
      isPenDown = false
      return ''
    }
    const point = `${round(x(second))} ${round(y(value))}`
    // A second between two gaps is drawn as a dot: round line caps make it visible.
    const step = isPenDown ? `L${point}` : `M${point}h0`
    isPenDown = true
    return step
  })
  return steps.join('')
}

/** The next of 1, 2, 5 times a power of ten. */
function niceCeiling(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power
}

const round = (value: number): number => Math.round(value * 10) / 10
