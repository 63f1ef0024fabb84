import { el } from './dom.js'

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
const absolute = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' })
const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium' })

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const units = [
  ['minute', 60],
  ['hour', 3_600],
  ['day', 86_400],
]
const weekSeconds = 7 * 86_400

/** @param {Date} date */
function ago(date) {
  const seconds = (date.getTime() - Date.now()) / 1_000
  if (seconds > -45 && seconds < 45) return 'now'
  if (Math.abs(seconds) > weekSeconds) return day.format(date)
  const [unit, length] = units.findLast(([, length]) => Math.abs(seconds) >= length) ?? ['minute', 60]
  return relative.format(Math.round(seconds / length), unit)
}

/** A time in words, and in the reader's time zone when it is pointed at. @param {string} at */
export function timeOf(at) {
  const date = new Date(at)
  return el('time', { datetime: at, title: absolute.format(date) }, ago(date))
}

setInterval(() => {
  for (const time of document.querySelectorAll('time')) {
    const text = ago(new Date(time.dateTime))
    if (time.textContent !== text) time.textContent = text
  }
}, 20_000)
