import { outliveClosedPipes } from '../src/closed-pipe.ts'
import { UsageError } from './options/parse.ts'
import { PreflightError } from './preflight.ts'

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Runs a command and sets the exit code to its result, or to 2 after printing a UsageError or PreflightError. */
export async function runCommand(command: () => Promise<number>): Promise<void> {
  outliveClosedPipes()
  try {
    process.exitCode = await command()
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof PreflightError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  }
}
