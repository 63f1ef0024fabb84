import { grouped, milliseconds, percent, perSecond } from './format.ts'
import type { Report, ReportedFigures } from './schema.ts'

const columns = ['action', 'count', '/s', 'errors', 'p50 ms', 'p90 ms', 'p99 ms', 'max ms']
const maxCausesShown = 20
const maxFindingsShown = 20
const maxSilencesShown = 5

/** The figures as lines for a terminal: the table, errors by kind, silences, and what the bot itself cost. */
export function figuresText(report: Report): string[] {
  const { actions, total, errors, unexpected } = report
  const cells = [columns, ...actions.map((action) => cellsOf(action.action, action)), cellsOf('all', total)]
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)))
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')
  return [
    ...cells.map(line),
    '',
    modelLine(report),
    serviceLine(total),
    ...refusedLine(total),
    ...causeLines('errors', errors),
    ...causeLines('unexpected', unexpected),
    ...longestSilences(report),
    ...faultLine(report),
    ...costLines(report),
  ]
}

/** Times without any answer as sentences, the longest first, and how many more there were. */
export function longestSilences({ silences }: Pick<Report, 'silences'>): string[] {
  const sorted = silences.toSorted((a, b) => b.seconds - a.seconds)
  const more = sorted.length - maxSilencesShown
  return [
    ...sorted
      .slice(0, maxSilencesShown)
      .map(({ from, seconds }) => `The server was silent for ${seconds.toFixed(1)} s from second ${from.toFixed(1)}.`),
    ...(more > 0 ? [`It was silent for over a second ${grouped(more)} more ${more === 1 ? 'time' : 'times'}.`] : []),
  ]
}

/** The verdict about the data, but for its last line, the summary: notes, then the first findings. */
export function checkText({ check, run }: Report): string[] {
  const { notes, findings } = check
  const more = findings.length - maxFindingsShown
  return [
    ...notes,
    ...(run.interrupted ? ['Interrupted: only writes acknowledged before the interruption were checked.'] : []),
    ...findings.slice(0, maxFindingsShown).map(({ text }) => text),
    ...(more > 0 ? [`and ${grouped(more)} more`] : []),
  ]
}

/** Which exit code follows and why; a line for each expectation. */
export function judgementText({ expectations, load, exit }: Report): string[] {
  return [
    ...expectations.map(
      ({ expectation, actual, isMet }) => `${isMet ? 'met' : 'missed'}: ${expectation}, got ${actual}`,
    ),
    ...load.invalid.map((reason) => `figures invalid: ${reason}`),
    ...(exit.code === 0 ? [] : [`exit code ${exit.code}${others(exit)}`]),
  ]
}

function modelLine({ run, seconds }: Report): string {
  const measured = `measured for ${seconds.toFixed(1)} s`
  if (run.model === 'open') return `open model, ${measured}: arrivals on a clock, latency from the intended start`
  return `closed model, ${measured}: each robot waits for its answer, so a slow server is asked less`
}

function serviceLine({ service }: ReportedFigures): string {
  const [p50, p90, p99, max] = [service.p50, service.p90, service.p99, service.max].map(milliseconds)
  return `service time, from sending to answer: p50 ${p50}, p90 ${p90}, p99 ${p99}, max ${max}`
}

function faultLine({ faults }: Report): string[] {
  const kinds = Object.entries(faults).map(([kind, count]) => `${grouped(count)} × ${kind}`)
  return kinds.length === 0 ? [] : [`faults of the bot on purpose: ${kinds.join(', ')}`]
}

function refusedLine({ refused, gone }: ReportedFigures): string[] {
  return refused + gone === 0 ? [] : [`as it should be: ${grouped(refused)} refused, ${grouped(gone)} gone`]
}

function costLines({ series, load }: Report): string[] {
  if (series.length === 0) return []
  const cpu = series.reduce((sum, second) => sum + second.cpu, 0) / series.length
  const steal = Math.max(...series.map((second) => second.steal ?? 0))
  const waits = series.flatMap(({ waiting }) => waiting ?? [])
  const waiting = waits.reduce((sum, each) => sum + each, 0) / waits.length
  const late = load.arrivals > 0 ? `, ${percent(load.late / load.arrivals)} of arrivals late` : ''
  const delay = `event loop delayed by ${milliseconds(load.loopDelayP99Ms)} (p99)`
  const requests = series.reduce((sum, second) => sum + second.requests, 0)
  const each = requests > 0 ? ` (${Math.round((cpu * series.length * 1_000_000) / requests)} µs a request)` : ''
  const waited = waits.length === 0 ? '' : `, waiting for a core ${percent(waiting)} of the time`
  return [`the bot itself: ${percent(cpu)} of a core${each}${waited}, ${delay}, steal at most ${percent(steal)}${late}`]
}

function causeLines(title: string, causes: Report['errors']): string[] {
  const sorted = causes.toSorted((a, b) => b.count - a.count)
  const more = sorted.length - maxCausesShown
  return [
    ...sorted
      .slice(0, maxCausesShown)
      .map(
        ({ action, cause, count }) =>
          `${title}: ${action}, ${cause}, ${count === 1 ? 'once' : `${grouped(count)} times`}`,
      ),
    ...(more > 0 ? [`${title}: ${grouped(more)} more kinds`] : []),
  ]
}

function others({ code, all }: Report['exit']): string {
  const codes = [...new Set(all.map((reason) => reason.code))].filter((other) => other !== code)
  return codes.length > 0 ? ` (also ${codes.join(', ')})` : ''
}

function cellsOf(name: string, { count, perSecond: rate, errors, latency }: ReportedFigures): string[] {
  const { p50, p90, p99, max } = latency
  const latencies = [p50, p90, p99, max].map((ms) => (ms === null ? '-' : ms.toFixed(1)))
  return [name, grouped(count), perSecond(rate).replace('/s', ''), grouped(errors), ...latencies]
}
