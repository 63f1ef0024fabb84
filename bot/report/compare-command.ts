import { readFileSync } from 'node:fs'
import { UsageError } from '../options/parse.ts'
import { type Comparison, caveats, compareReports } from './compare.ts'
import { milliseconds, perSecond } from './format.ts'
import { type Report, reportSchema } from './schema.ts'

/** The lines of `bot compare a.json b.json`. @throws UsageError */
export function compareCommand(paths: string[]): string[] {
  const [a, b, ...more] = paths
  if (!a || !b || more.length > 0) throw new UsageError('compare needs two reports: npx tsx bot compare a.json b.json.')
  const [first, second] = [readReport(a), readReport(b)]
  const rows = compareReports(first, second)
  return [
    `${a} (a) and ${b} (b); ratios are b / a`,
    '',
    ...table([['action', 'figure', 'a', 'b', 'ratio', ''], ...rows.map(cellsOf)]),
    '',
    ...caveats(first, second),
    'A difference is noise unless windows of 5 s differ in a Mann-Whitney test at 1% (Holm), and by over 5%.',
    'One run each shows no difference between runs: repeat in turn, a b a b, before you rely on a small one.',
  ]
}

function readReport(path: string): Report {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    throw new UsageError(`${path} cannot be read as JSON.`)
  }
  const { data, error } = reportSchema.safeParse(content)
  if (data) return data
  const place = error.issues[0]?.path.join('.')
  throw new UsageError(`${path} is not a report of this version of the bot${place ? ` (at ${place})` : ''}.`)
}

function cellsOf({ action, metric, a, b, ratio, verdict }: Comparison): string[] {
  const show = metric === 'rate' ? perSecond : milliseconds
  return [action, metric, show(a), show(b), ratio.toFixed(2), verdict]
}

function table(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, i) => (i < 2 || i === 5 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
