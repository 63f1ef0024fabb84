import type { Db } from 'mongodb'

/** Samples by row and column, in milliseconds. */
export type Samples = Map<string, Map<string, number[]>>

export function add(samples: Samples, row: string, column: string, value: number): void {
  const columns = samples.get(row) ?? new Map<string, number[]>()
  samples.set(row, columns.set(column, [...(columns.get(column) ?? []), value]))
}

export const samplesOf = (samples: Samples, row: string, column: string): number[] =>
  samples.get(row)?.get(column) ?? []

/** Whether it was measured long enough, or often enough for something slow. Times are in milliseconds. */
export const isEnough = (values: readonly number[], mostMs: number): boolean =>
  values.length >= 5 && values.reduce((sum, value) => sum + value, 0) > mostMs

export async function timed<Result>(work: () => Promise<Result>): Promise<{ ms: number; result: Result }> {
  const began = performance.now()
  const result = await work()
  return { ms: performance.now() - began, result }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

export const middleAndWorst = (values: readonly number[]): string =>
  values.length === 0 ? '' : `${median(values).toFixed(1)} (${Math.max(...values).toFixed(1)})`

/** A table in Markdown. */
export function table(title: string, samples: Samples, cell: (values: number[]) => string): string[] {
  const columns = [...new Set([...samples.values()].flatMap((row) => [...row.keys()]))]
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rows = [...samples].map(([row, values]) => line([row, ...columns.map((name) => cell(values.get(name) ?? []))]))
  return [line([title, ...columns]), `|---|${columns.map(() => '---:|').join('')}`, ...rows, '']
}

/** The keys and documents that MongoDB looked at for this, by its profiler: of all commands together. */
export async function examined(db: Db, collection: string, work: () => Promise<unknown>): Promise<string> {
  const profile = db.collection('system.profile', { readConcern: { level: 'local' } })
  await profile.drop()
  await db.command({ profile: 2 })
  await work()
  await db.command({ profile: 0 })
  const commands = await profile.find({ ns: `${db.databaseName}.${collection}` }).toArray()
  const sum = (field: string) => commands.reduce((all, one) => all + Number(one[field] ?? 0), 0).toLocaleString('en')
  return `${sum('keysExamined')} / ${sum('docsExamined')}`
}
