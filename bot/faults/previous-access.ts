import type { IncomingHttpHeaders } from 'node:http'

/** The access cookie that a client had before its present one. */
export class PreviousAccess {
  #current: string | null = null
  #previous: string | null = null

  /** `name=value`, or null if there has been one at most. */
  get previous(): string | null {
    return this.#previous
  }

  note({ 'set-cookie': cookies = [] }: IncomingHttpHeaders): void {
    for (const cookie of cookies) {
      const [access] = /^(?:__Host-)?session=[^;]+/.exec(cookie) ?? []
      if (access === undefined || access === this.#current) continue
      this.#previous = this.#current
      this.#current = access
    }
  }
}
