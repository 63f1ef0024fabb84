import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { Caught } from './catch-liar.ts'
import type { ConditionName } from './conditions.ts'
import type { Liar } from './liar.ts'

export type Run = { condition: ConditionName; liar: Liar | null; seed: number }
type Row = { run: string; verdict: 'caught' | 'agrees' | 'MISSED' | 'FALSE ALARM' | 'INCOMPLETE' }

const separator = '\t'

/** The results, a line each; with a file, those of earlier calls too, so that a long series can be resumed. Lines with # are notes. */
export class Table {
  #file: string | null
  #rows: Row[]

  constructor(file: string | null) {
    this.#file = file
    const lines = file !== null && existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []
    this.#rows = lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const [condition, name, seed, verdict] = line.split(separator)
        // The file holds what `add` has written.
        return { run: [condition, name, seed].join(separator), verdict: verdict as Row['verdict'] }
      })
  }

  has(run: Run): boolean {
    return this.#rows.some((row) => row.run === keyOf(run))
  }

  add(run: Run, caught: Caught, note: string): void {
    const row = { run: keyOf(run), verdict: verdictOf(run.liar, caught) }
    this.#rows.push(row)
    const details = isRight(row) ? [] : [JSON.stringify(caught.findings.slice(0, 5)), caught.incomplete ?? '']
    const line = [row.run, row.verdict, caught.rules.join(' ') || '-', caught.checked, note, ...details].join(separator)
    process.stdout.write(`${line}\n`)
    if (this.#file !== null) appendFileSync(this.#file, `${line}\n`)
  }

  /** How many of `runs` came out as they should. */
  countRight(runs: readonly Run[]): number {
    const right = new Set(this.#rows.filter(isRight).map(({ run }) => run))
    return runs.filter((run) => right.has(keyOf(run))).length
  }
}

const keyOf = ({ condition, liar, seed }: Run) => [condition, liar?.name ?? 'honest', seed].join(separator)

const isRight = ({ verdict }: Row) => verdict === 'caught' || verdict === 'agrees'

function verdictOf(liar: Liar | null, { isCaught, rules, incomplete }: Caught): Row['verdict'] {
  if (liar) return isCaught ? 'caught' : 'MISSED'
  if (rules.length > 0) return 'FALSE ALARM'
  return incomplete === null ? 'agrees' : 'INCOMPLETE'
}
