import got from 'got'
import { urlOf } from '../options/server-url.ts'
import { forecast, limitOf } from './forecast.ts'
import type { PlannedLoad } from './planned-load.ts'

type Headers = { [name: string]: string | string[] | undefined }

/** Says what a run will meet, for each limit at the first answer that describes it. */
export class LimitWatch {
  readonly sentences: string[] = []
  #load: PlannedLoad
  #say: (sentence: string) => void
  #known = new Set<string>()

  constructor(load: PlannedLoad, say: (sentence: string) => void) {
    this.#load = load
    this.#say = say
  }

  note(headers: Headers): void {
    const policy = headers['ratelimit-policy']?.toString()
    if (policy === undefined || this.#known.has(policy)) return
    this.#known.add(policy)
    const limit = limitOf(headers)
    if (limit === null) return
    for (const sentence of forecast(this.#load, limit)) {
      this.sentences.push(sentence)
      this.#say(sentence)
    }
  }

  /** Asks for the limit on sign-ups, with one that lacks everything: the server refuses it, and does not count it. */
  async ask(base: URL, ca?: string): Promise<void> {
    const answer = await got
      .post(urlOf(base, '/v1/accounts'), {
        ...(ca && { https: { certificateAuthority: ca } }),
        ...{
          json: {},
          followRedirect: false,
          throwHttpErrors: false,
          retry: { limit: 0 },
          timeout: { request: 5_000 },
        },
      })
      .catch(() => null)
    if (answer) this.note(answer.headers)
  }
}
