import { type Answer, exchange, type Sent } from './client.ts'

export const password = 'vexed quartz lynx'

/** A client with cookies. */
export function browser(port: number) {
  const cookies = new Map<string, string>()
  const header = (names: readonly string[] = [...cookies.keys()]): Record<string, string> => {
    const pairs = names.flatMap((name) => (cookies.has(name) ? [`${name}=${cookies.get(name)}`] : []))
    return pairs.length > 0 ? { cookie: pairs.join('; ') } : {}
  }
  return {
    /** The header with the cookies of these names, by default all. */
    header,

    /** @throws Error unless it is answered with 2xx, or as expected */
    async send(method: string, path: string, json?: unknown, expected = 200): Promise<unknown> {
      const sent: Sent = {
        method,
        path,
        headers: { ...header(), ...(json !== undefined && { 'content-type': 'application/json' }) },
        ...(json !== undefined && { body: JSON.stringify(json) }),
      }
      const { status, headers, body }: Answer = await exchange(port, sent)
      if (status !== expected && !(expected === 200 && status < 300))
        throw new Error(`${method} ${path} was answered ${status}: ${body}`)
      for (const line of headers['set-cookie'] ?? []) {
        const [pair = ''] = line.split(';')
        cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
      }
      return body.length > 0 ? JSON.parse(body.toString()) : undefined
    },
  }
}

export type Browser = ReturnType<typeof browser>

export type Account = { id: string; username: string; browser: Browser }

/** A new account, whose session is confirmed. */
export async function signUp(port: number, username: string): Promise<Account> {
  const own = browser(port)
  const { id } = (await own.send('POST', '/v1/accounts', { username, password })) as { id: string } // by the contract
  await own.send('POST', '/v1/session/confirm', { password })
  return { id, username, browser: own }
}

/** Another session of the account, confirmed. */
export async function logIn(port: number, { id, username }: Account): Promise<Account> {
  const own = browser(port)
  await own.send('POST', '/v1/session', { username, password })
  await own.send('POST', '/v1/session/confirm', { password })
  return { id, username, browser: own }
}
