/** A cookie that a response sets: its value, and its attributes as in the header, sorted. */
export type SetCookie = { value: string; attributes: string[] }

/** The cookies that a response sets, by name. */
export function setCookies(headers: { 'set-cookie'?: string[] | undefined }): Record<string, SetCookie | undefined> {
  const cookies: Record<string, SetCookie> = {}
  for (const line of headers['set-cookie'] ?? []) {
    const [pair = '', ...attributes] = line.split('; ')
    const name = pair.slice(0, pair.indexOf('='))
    if (name in cookies) throw new Error(`${name} is set twice`)
    cookies[name] = { value: pair.slice(name.length + 1), attributes: attributes.sort() }
  }
  return cookies
}

/** A `Cookie` header with these of the cookies. */
export const carried = (cookies: Record<string, SetCookie | undefined>, ...names: string[]): { cookie: string } => ({
  cookie: names.map((name) => `${name}=${cookies[name]?.value}`).join('; '),
})
