/** A failure that the operator can act on: its message is printed as it is, without a stack. */
export class StartError extends Error {
  override name = 'StartError'
}

export function toErrorText(error: unknown): string {
  if (error instanceof StartError) return error.message
  return String(error instanceof Error ? error.stack : error)
}
