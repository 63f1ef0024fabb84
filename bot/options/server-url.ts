import { z } from 'zod'

/** A schema for the server's URL; a path ends in a slash, and a query is dropped. */
export const serverUrl = z.string().transform((text, context): URL => {
  const reject = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (!URL.canParse(text)) return reject('--url must be a URL such as http://127.0.0.1:5000.')
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return reject('--url must start with http:// or https://.')
  if (url.username || url.password) return reject('--url must not contain credentials: the robots sign up themselves.')
  url.search = url.hash = ''
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
})

/** The URL of an API path such as `/v1/posts` below the server's URL. */
export const urlOf = (base: URL, path: string): URL => new URL(`.${path}`, base)

/** A sentence that asks for --yes-really, if the server is on another machine. */
export const remoteFault = (url: URL): string | null =>
  isLoopback(url) ? null : `--url ${url.origin} is another machine; add --yes-really to send the robots there.`

/** Whether the host is localhost, in 127.0.0.0/8, or [::1]. */
export function isLoopback(url: URL): boolean {
  // The URL parser normalizes 127.1, 0x7f000001 and [0:0:0:0:0:0:0:1] to these forms.
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
}
