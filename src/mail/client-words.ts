import { browserOf, onSystem } from '../http/user-agent.ts'

const programOf = (userAgent: string) => (userAgent.startsWith('curl/') ? 'curl' : browserOf(userAgent))

/** A user agent in words of our own: a stranger who causes a mail must not choose what it says, such as a link. */
export const clientWords = (userAgent: string): string =>
  `${programOf(userAgent) ?? 'another program'}${onSystem(userAgent)}`
