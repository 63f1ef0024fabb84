export const password = 'vexed quartz lynx'

const json = { 'content-type': 'application/json' }

/** Sends requests with the cookies of an account that it signs up. */
export type Reader = { send(method: string, path: string, body?: object): Promise<void> }

/** @throws Error when an answer is not 2xx */
export async function signUpReader(url: string, username: string): Promise<Reader> {
  let cookie = ''
  const reader: Reader = {
    async send(method, path, body) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { cookie, ...(body && json) },
        ...(body && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status} ${text}`)
      const cookies = response.headers.getSetCookie().map((line) => line.split(';', 1)[0])
      if (cookies.length > 0) cookie = cookies.join('; ')
    },
  }
  await reader.send('POST', '/v1/accounts', { username, password })
  return reader
}
