/** A cookie that a response sets: its value, and its attributes as in the header, sorted, without `Expires`. */
export type SetCookie = { value: string; attributes: string[] }

type Headers = { 'set-cookie'?: string[] | undefined; date?: string | undefined }

/**
 * The two say the same. The answer may leave a slow server some time after its cookies were made, and a test may have moved
 * its own clock, which the header `Date` does not follow.
 */
function checkExpires(line: string, sentAt: number): void {
  const maxAge = /; Max-Age=(\d+)(?:;|$)/.exec(line)?.[1]
  const expires = Date.parse(/; Expires=([^;]+)/.exec(line)?.[1] ?? '')
  const expected = maxAge === '0' ? [0] : [sentAt, Date.now()].map((from) => from + Number(maxAge) * 1_000)
  if (!expected.some((time) => Math.abs(expires - time) <= 60_000))
    throw new Error(`Expires and Max-Age differ: ${line}`)
}

/** The cookies that a response sets, by name. @throws Error unless each has `Max-Age` and an `Expires` to match */
export function setCookies(headers: Headers): Record<string, SetCookie | undefined> {
  const cookies: Record<string, SetCookie> = {}
  for (const line of headers['set-cookie'] ?? []) {
    const [pair = '', ...attributes] = line.split('; ')
    const name = pair.slice(0, pair.indexOf('='))
    if (name in cookies) throw new Error(`${name} is set twice`)
    checkExpires(line, Date.parse(headers.date ?? new Date().toUTCString()))
    const others = attributes.filter((attribute) => !attribute.startsWith('Expires='))
    cookies[name] = { value: pair.slice(name.length + 1), attributes: others.sort() }
  }
  return cookies
}

/** A `Cookie` header with these of the cookies. */
export const carried = (cookies: Record<string, SetCookie | undefined>, ...names: string[]): { cookie: string } => ({
  cookie: names.map((name) => `${name}=${cookies[name]?.value}`).join('; '),
})
