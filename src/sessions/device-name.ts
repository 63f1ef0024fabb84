import { browserOf, onSystem } from '../http/user-agent.ts'

const maxProgramLength = 40

/** The name of a new device, until its owner gives it another: `Firefox on Linux`, or that of a program such as `curl`. */
export function deviceNameOf(userAgent: string): string {
  const program = /^[!-~]+/.exec(userAgent.trim())?.[0].split('/', 1)[0]
  if (!program) return 'Unknown client'
  if (program !== 'Mozilla') return program.slice(0, maxProgramLength)
  return `${browserOf(userAgent) ?? 'Unknown browser'}${onSystem(userAgent)}`
}
