import { Checker } from './check/checker.ts'
import { printLine } from './cli.ts'
import { LedgerError, replayLedger } from './history/ledger-file.ts'
import { UsageError } from './options/parse.ts'
import { grouped } from './report/format.ts'
import { describeFinding } from './report/verdict.ts'

const maxFindingsShown = 20

/**
 * `npx tsx bot verify run.ledger`: judges the history of a ledger again. Returns the exit code: 0 it agrees, 1 it does not,
 * 4 it holds nothing to judge.
 * @throws UsageError
 */
export function verifyCommand(args: string[]): number {
  const [path, ...others] = args
  if (path === undefined || others.length > 0) throw new UsageError('verify needs the path of one ledger.')
  const checker = judge(path)
  for (const finding of checker.findings.slice(0, maxFindingsShown)) printLine(describeFinding(finding))
  const { findings, checked } = checker
  if (findings.length > maxFindingsShown) printLine(`and ${grouped(findings.length - maxFindingsShown)} more`)
  const outcome = findings.length === 0 ? 'agrees' : `disagrees: ${grouped(findings.length)} contradictions`
  printLine(
    checked === 0 ? 'the ledger holds nothing to compare' : `ledger ${outcome} in ${grouped(checked)} comparisons`,
  )
  if (checked === 0) return 4
  return findings.length === 0 ? 0 : 1
}

function judge(path: string): Checker {
  let checker = new Checker()
  try {
    // What an excess was looked into for stands in the ledger as a claim.
    replayLedger(path, ({ alone }) => {
      checker = new Checker({ alone, onExcess: () => {} })
      return checker
    })
  } catch (error) {
    if (error instanceof LedgerError) throw new UsageError(error.message)
    throw error
  }
  return checker
}
