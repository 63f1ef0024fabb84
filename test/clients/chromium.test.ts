import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { password, testServer } from '../helper.ts'
import { findChromium, startChromium } from './chromium.ts'

type Answer = { status: number; body: { id?: string; code?: string; account?: { username: string } } | undefined }

const path = await findChromium()
const skip = path === undefined && !process.env.CI && 'no Chromium here: install it, or set CHROMIUM to one'

/** Asks from inside a page, as its own script would. */
function ask(page: Page, method: string, url: string, body?: object): Promise<Answer> {
  const headers = body && { 'content-type': 'application/json' }
  const options = { method, credentials: 'include', headers, body: body && JSON.stringify(body) }
  // Text, because what runs in the page has the types of a browser.
  return page.evaluate(`(async () => {
    const response = await fetch(${JSON.stringify(url)}, ${JSON.stringify(options)})
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
  })()`)
}

/** A page of another site, with its own address. */
async function otherSite(t: Test, html: string): Promise<number> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8').end(html)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  return (server.address() as AddressInfo).port // TCP always
}

t.test('in Chromium', { skip, timeout: 240_000 }, async (t) => {
  if (path === undefined) throw new Error('In CI a Chromium is needed')
  const { app, url, port, db } = await testServer(t)
  const browser = await startChromium(path)
  t.teardown(() => browser.close())
  const context = await browser.newContext()
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('requestfailed', (request) => faults.push(`${request.url()} failed`))
  const cookies = async () => (await context.cookies()).map(({ name }) => name).sort()
  const posts = () => db.collection('posts').countDocuments()

  await t.test('the page for people shows the API, and its CSP is in nobody’s way', async (t) => {
    const response = await page.goto(`${url}/docs`)
    t.equal(response?.status(), 200)
    t.match(response?.headers()['content-security-policy'], /default-src 'none'/)
    await page.waitForSelector('.opblock-summary-path')
    const paths = await page.locator('.opblock-summary-path').allTextContents()
    t.ok(paths.some((path) => path.replaceAll('\u200b', '').includes('/v1/session/refresh')))
    t.match(await page.title(), /\S/)
    t.same(faults, [], 'no error in the console')
    const blocked = await page.evaluate(`fetch('https://elsewhere.invalid/').then(() => 'went', () => 'blocked')`)
    t.equal(blocked, 'blocked')
    t.match(faults.join(), /Content Security Policy/, 'so a violation would have been seen')
    if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT })
  })

  await t.test('a page of this server holds a session', async (t) => {
    const credentials = { username: 'chromium_user', password }
    t.equal((await ask(page, 'POST', '/v1/accounts', credentials)).status, 201)
    t.same(await cookies(), ['device', 'refresh', 'session'])
    t.equal(await page.evaluate('document.cookie'), '', 'no script sees a token')
    for (const cookie of await context.cookies()) {
      t.match(cookie, { httpOnly: true, secure: false, sameSite: cookie.name === 'session' ? 'Lax' : 'Strict' })
    }
    const post = await ask(page, 'POST', '/v1/posts', { text: 'From Chromium' })
    t.equal(post.status, 201)
    t.equal((await ask(page, 'PUT', `/v1/posts/${post.body?.id}/reaction`, { value: 'like' })).status, 200)
    const before = (await context.cookies()).find(({ name }) => name === 'refresh')?.value
    t.equal((await ask(page, 'POST', '/v1/session/refresh')).status, 200)
    t.not((await context.cookies()).find(({ name }) => name === 'refresh')?.value, before)
    t.match(await ask(page, 'GET', '/v1/session'), { status: 200, body: { account: { username: 'chromium_user' } } })
    t.equal((await ask(page, 'DELETE', '/v1/session')).status, 204)
    t.same(await cookies(), ['device'])
    t.equal((await ask(page, 'GET', '/v1/session')).status, 401)
    t.equal((await ask(page, 'POST', '/v1/session', credentials)).status, 200)
  })

  await t.test('a page of another origin can neither write nor read', async (t) => {
    const before = await posts()
    const evil = await otherSite(
      t,
      `<form method=post enctype=text/plain action="${url}/v1/posts"><button>x</button></form>`,
    )
    const arrived: object[] = []
    app.server.on('request', ({ method, headers }, response) => {
      const session = / session=|^session=/.test(headers.cookie ?? '')
      response.on('finish', () =>
        arrived.push({ method, origin: headers.origin, session, status: response.statusCode }),
      )
    })
    // Another port of the same name is another origin of the same site: the cookies go along, the Origin gives it away.
    // "localhost" is another site: there they do not even go along.
    for (const name of ['127.0.0.1', 'localhost']) {
      const other = await context.newPage()
      await other.goto(`http://${name}:${evil}/`)
      const tries = [
        'POST v1/posts',
        'DELETE v1/session',
        'POST v1/session/refresh',
        'PATCH v1/account',
        'GET v1/session',
      ]
      for (const one of tries) {
        const [method = '', path] = one.split(' ')
        const read = await ask(other, method, `${url}/${path}`, method === 'GET' ? undefined : { text: 'x' }).catch(
          () => 'blocked',
        )
        t.equal(read, 'blocked', `${name}: ${one}`)
      }
      // A simple request, for which no preflight is made: it arrives, and is refused.
      const simple = { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"text":"x"}' }
      arrived.length = 0
      const [target, options] = [`${url}/v1/posts`, simple].map((value) => JSON.stringify(value))
      await other.evaluate(`fetch(${target}, ${options}).catch(() => undefined)`)
      const sent = { method: 'POST', origin: `http://${name}:${evil}`, session: name === '127.0.0.1', status: 403 }
      t.same(arrived, [sent], `${name}: fetch`)
      arrived.length = 0
      const [response] = await Promise.all([other.waitForResponse(`${url}/v1/posts`), other.click('button')])
      t.equal(response.status(), 403, `${name}: a form`)
      t.match(await response.json(), { code: 'cross-site' })
      t.match(arrived[0], { method: 'POST', status: 403 })
      await other.close()
    }
    t.equal(await posts(), before)
    t.equal((await ask(page, 'GET', '/v1/session')).status, 200, 'the session is as it was')
  })

  await t.test('the three names of loopback are one server, each with cookies of its own', async (t) => {
    const other = await context.newPage()
    await other.goto(`http://localhost:${port}/docs`)
    t.equal((await ask(other, 'GET', '/v1/session')).status, 401)
    t.equal((await ask(other, 'POST', '/v1/session', { username: 'chromium_user', password })).status, 200)
    t.equal((await ask(other, 'POST', '/v1/posts', { text: 'From localhost' })).status, 201)
    await other.close()
  })
})
