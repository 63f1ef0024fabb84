import { outliveClosedPipes } from '../src/cli/closed-pipe.ts'
import { exitCodeOf, StartError } from '../src/start-error.ts'
import { UsageError } from './options/parse.ts'
import { PreflightError } from './preflight.ts'

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`)
}

/**
 * Runs a command and sets the exit code to its result, to 2 after printing a UsageError or PreflightError, or to that of
 * a StartError after printing it.
 */
export async function runCommand(command: () => Promise<number>): Promise<void> {
  outliveClosedPipes()
  try {
    process.exitCode = await command()
  } catch (error) {
    const isStartError = error instanceof StartError
    if (!isStartError && !(error instanceof UsageError) && !(error instanceof PreflightError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = isStartError ? exitCodeOf(error) : 2
  }
}
