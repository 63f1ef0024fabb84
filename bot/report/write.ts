import { accessSync, constants, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { UsageError } from '../options/parse.ts'
import { htmlReport } from './html/page.ts'
import type { Report } from './schema.ts'

/** Where reports go; `json` is `-` for standard output. */
export type Outputs = { json?: string | undefined; report?: string | undefined }

/** Fails before a run whose report could not be written. @throws UsageError */
export function checkOutputs({ json, report }: Outputs): void {
  const faults = Object.entries({ json: json === '-' ? undefined : json, report }).flatMap(([name, path]) =>
    path === undefined || isWritable(path)
      ? []
      : [`--${name} ${path} cannot be written: its folder is missing or read-only.`],
  )
  if (faults.length > 0) throw new UsageError(faults.join('\n'))
}

export function writeReports(report: Report, { json, report: html }: Outputs): void {
  const text = `${JSON.stringify(report, null, 2)}\n`
  if (json === '-') process.stdout.write(text)
  else if (json !== undefined) writeFileSync(json, text)
  if (html !== undefined) writeFileSync(html, htmlReport(report))
}

function isWritable(path: string): boolean {
  try {
    accessSync(dirname(resolve(path)), constants.W_OK)
    return true
  } catch {
    return false
  }
}
