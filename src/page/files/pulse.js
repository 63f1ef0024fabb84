import { fetchFrom } from './api.js'
import { drawing, el, shape } from './dom.js'

/** @import { Pulse, PulseCounts } from '../types.d.ts' */

const intervalMs = 1_000
const height = 24

/** @type {{ key: keyof PulseCounts, label: string, unit: string }[]} */
const series = [
  { key: 'requests', label: 'Requests', unit: 'a second' },
  { key: 'posts', label: 'Posts', unit: 'a second' },
  { key: 'reactions', label: 'Reactions', unit: 'a second' },
  { key: 'errors', label: 'Errors', unit: 'a second' },
  { key: 'p95Ms', label: 'Response time', unit: 'or less for 95 % of requests' },
]

/** @param {number} value */
const rounded = (value) => value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 })

/** @param {number} ms */
const duration = (ms) => (ms < 1_000 ? `${rounded(ms)} ms` : `${rounded(ms / 1_000)} s`)

/** @param {keyof PulseCounts} key @param {number | null} value */
function format(key, value) {
  if (value === null) return '–'
  return key === 'p95Ms' ? duration(value) : rounded(value)
}

/**
 * One figure of the pulse: its last value, and a line of 60 seconds that begins at zero.
 * @param {{ key: keyof PulseCounts, label: string, unit: string }} parts
 */
function figure({ key, label, unit }) {
  const value = el('span', { class: 'value' }, '–')
  const area = shape('path', { class: 'area' })
  const line = shape('path', { class: 'curve' })
  const most = el('span', { class: 'most' })
  const element = el(
    'div',
    { class: 'figure', 'data-series': key },
    el('span', { class: 'label' }, label),
    most,
    el('div', {}, value, el('span', { class: 'unit' }, ` ${unit}`)),
    drawing(`0 0 59 ${height}`, area, line),
  )
  return {
    element,
    /** @param {Pulse} pulse */
    show({ items }) {
      const values = items.map((item) => item[key])
      const highest = Math.max(0, ...values.map((each) => each ?? 0))
      const y = (/** @type {number | null} */ each) => height - 1 - ((each ?? 0) / (highest || 1)) * (height - 2)
      const points = values.map((each, x) => `${x} ${y(each).toFixed(1)}`).join('L')
      line.setAttribute('d', `M${points}`)
      area.setAttribute('d', `M0 ${height}L${points}L59 ${height}Z`)
      element.classList.toggle('flat', highest === 0)
      value.textContent = format(key, values.at(-1) ?? (key === 'p95Ms' ? null : 0))
      most.textContent = `at most ${format(key, highest)}`
    },
  }
}

/** Shows the last minute of the server, while the page is visible. @param {HTMLElement} parent */
export function showPulse(parent) {
  const figures = series.map(figure)
  const note = el('p', { class: 'hint', hidden: true }, 'No answer. The figures are old.')
  parent.append(el('div', { class: 'figures' }, ...figures.map(({ element }) => element)), note)
  let isReading = false
  async function read() {
    if (document.hidden || isReading) return
    isReading = true
    const pulse = await fetchFrom('GET', '/v1/pulse')
      .then((response) => response.json())
      .catch(() => undefined)
    isReading = false
    note.hidden = pulse !== undefined
    parent.classList.toggle('old', pulse === undefined)
    if (pulse) for (const { show } of figures) show(pulse)
  }
  setInterval(read, intervalMs)
  read()
}
