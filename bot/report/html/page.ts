import { counted, grouped, milliseconds, percent, perSecond } from '../format.ts'
import type { Report } from '../schema.ts'
import { longestSilences } from '../text.ts'
import { latencyByAction, seriesCharts } from './charts.ts'
import { escapeHtml } from './escape.ts'
import { style } from './style.ts'
import { actionTable, causeTable, expectationTable, facts } from './tables.ts'

const shownFindings = 100

/** The report as one HTML page that needs no network and no script. */
export function htmlReport(report: Report): string {
  const { check, seed, run, url, exit } = report
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Rookery bot: ${escapeHtml(check.verdict)}, exit code ${exit.code}</title>
<style>${style}</style>
</head>
<body>
<h1>Rookery bot</h1>
<p class="dim">${escapeHtml(url)}, ${escapeHtml(run.startedAt)}, ${run.model} model, seed ${seed}</p>
${verdicts(report)}
${numbers(report)}
<h2>Over time</h2>
<div class="charts">${seriesCharts(report).join('')}</div>
${silences(report)}
<h2>By action</h2>
${latencyByAction(report)}
${actionTable(report)}
${section('Expectations', expectationTable(report))}
${section('Errors', causeTable(report.errors))}
${section('Unexpected answers', causeTable(report.unexpected))}
${section('Findings', findings(report))}
<h2>The run</h2>
${facts(report)}
</body>
</html>
`
}

function verdicts({ check, load, exit, expectations, unexpected }: Report): string {
  const boxes = [box(check.verdict === 'agrees', `Data: ${check.verdict}`, [check.summary, ...check.notes])]
  if (!load.isJudged)
    boxes.push(box(null, 'Figures: not judged', ['The run was bounded by counts: it checked data.', ...load.invalid]))
  else if (load.invalid.length > 0) boxes.push(box(false, 'Figures: invalid', load.invalid))
  else
    boxes.push(box(true, 'Figures: valid', ['They are those of the server: the bot was on time and had CPU to spare.']))
  const missed = exit.all.filter(({ code }) => code === 3).map(({ reason }) => reason)
  if (expectations.length > 0 || unexpected.length > 0)
    boxes.push(box(missed.length === 0, missed.length === 0 ? 'Expectations: met' : 'Expectations: missed', missed))
  if (exit.code >= 128)
    boxes.push(
      box(
        false,
        'Interrupted',
        exit.all.slice(0, 1).map(({ reason }) => reason),
      ),
    )
  return boxes.join('\n')
}

function box(isGood: boolean | null, title: string, lines: readonly string[]): string {
  const text = lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('')
  const className = isGood === null ? 'neutral' : isGood ? 'good' : 'bad'
  return `<div class="verdict ${className}"><strong>${escapeHtml(title)}</strong>${text}</div>`
}

function numbers({ total, seconds }: Report): string {
  const { latency, errors, count } = total
  const cells = [
    ['requests', grouped(count)],
    ['requests a second', perSecond(total.perSecond)],
    ['p50', milliseconds(latency.p50)],
    ['p90', milliseconds(latency.p90)],
    ['p99', milliseconds(latency.p99)],
    ['max', milliseconds(latency.max)],
    ['errors', `${grouped(errors)} (${percent(errors / Math.max(1, count + errors))})`],
    ['measured', `${seconds.toFixed(1)} s`],
  ]
  return `<dl class="numbers">${cells.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>`
}

function silences(report: Report): string {
  return longestSilences(report)
    .map((line) => `<p>${escapeHtml(line)}</p>`)
    .join('')
}

function findings({ check }: Report): string {
  if (check.findings.length === 0) return ''
  const items = check.findings.slice(0, shownFindings).map(({ text }) => {
    return `<li>${escapeHtml(text)}</li>`
  })
  const more = check.findings.length - items.length
  return `<ul>${items.join('')}</ul>${more > 0 ? `<p>${counted(more, 'more finding')} in the JSON.</p>` : ''}`
}

const section = (title: string, content: string): string => (content === '' ? '' : `<h2>${title}</h2>\n${content}`)
