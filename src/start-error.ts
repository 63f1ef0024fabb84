/** Exit codes of commands, from sysexits.h: EX_CONFIG, EX_UNAVAILABLE, EX_SOFTWARE. */
const exitCodes = { configuration: 78, 'out-of-reach': 69, internal: 70 } as const

/** `out-of-reach` may pass without a change by the operator; `configuration` does not. */
export type StartFault = 'configuration' | 'out-of-reach'

/** A failure that the operator can act on: its message is printed as it is, without a stack. */
export class StartError extends Error {
  override name = 'StartError'
  readonly fault: StartFault

  constructor(message: string, fault: StartFault = 'configuration') {
    super(message)
    this.fault = fault
  }
}

export function toErrorText(error: unknown): string {
  if (error instanceof StartError) return error.message
  return String(error instanceof Error ? error.stack : error)
}

/** The exit code of a command that failed to start: 78, 69, or 70 for an error of our own. */
export const exitCodeOf = (error: unknown): number => exitCodes[error instanceof StartError ? error.fault : 'internal']
