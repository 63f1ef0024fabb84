// A whole session with got and tough-cookie: node session-got.mjs URL USERNAME PASSWORD
import got from 'got'
import { CookieJar } from 'tough-cookie'

const [url, username, password] = process.argv.slice(2)
const cookieJar = new CookieJar()
const client = got.extend({ prefixUrl: `${url}/v1`, cookieJar, responseType: 'json', throwHttpErrors: false })

async function call(step, method, path, json) {
  const { statusCode, body } = await client(path, { method, json })
  const names = (await cookieJar.getCookies(url)).map(({ key }) => key).sort()
  console.log(step, statusCode, names.join())
  return body
}

await call('sign-up', 'POST', 'accounts', { username, password })
await call('log-in', 'POST', 'session', { username, password })
const { id } = await call('post', 'POST', 'posts', { text: 'Hello from got.' })
await call('like', 'PUT', `posts/${id}/reaction`, { value: 'like' })
await call('dislike', 'PUT', `posts/${id}/reaction`, { value: 'dislike' })
await call('refresh', 'POST', 'session/refresh')
await call('read', 'GET', 'session')
await call('log-out', 'DELETE', 'session')
await call('refused', 'GET', 'session')
