// A whole session with Node's fetch, which keeps no cookies, and tough-cookie: node session-fetch.mjs URL USERNAME PASSWORD
import { CookieJar } from 'tough-cookie'

const [url, username, password] = process.argv.slice(2)
const jar = new CookieJar()

async function call(step, method, path, body) {
  const target = `${url}/v1${path}`
  const headers = { cookie: await jar.getCookieString(target), ...(body && { 'content-type': 'application/json' }) }
  const response = await fetch(target, { method, headers, body: body && JSON.stringify(body) })
  for (const line of response.headers.getSetCookie()) await jar.setCookie(line, target)
  const names = (await jar.getCookies(target)).map(({ key }) => key).sort()
  console.log(step, response.status, names.join())
  return response.status === 204 ? undefined : response.json()
}

await call('sign-up', 'POST', '/accounts', { username, password })
await call('log-in', 'POST', '/session', { username, password })
const { id } = await call('post', 'POST', '/posts', { text: 'Hello from fetch.' })
await call('like', 'PUT', `/posts/${id}/reaction`, { value: 'like' })
await call('dislike', 'PUT', `/posts/${id}/reaction`, { value: 'dislike' })
await call('refresh', 'POST', '/session/refresh')
await call('read', 'GET', '/session')
await call('log-out', 'DELETE', '/session')
await call('refused', 'GET', '/session')
