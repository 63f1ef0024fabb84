import t from 'tap'
import { makeClient, password, testServer } from '../helper.ts'
import { carried, setCookies } from '../sessions/set-cookies.ts'
import { fetchFrom, inChromium, openChromium } from './chromium.ts'

t.test('in Chromium over http', inChromium, async (t) => {
  const { url, port } = await testServer(t)
  const context = await openChromium(t)
  const page = await context.newPage()
  const errors: string[] = []
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('requestfailed', (request) => errors.push(`${request.url()} failed`))
  const cookies = async () => (await context.cookies()).map(({ name }) => name).sort()

  await t.test('the API documentation page renders without CSP violations', async (t) => {
    const response = await page.goto(`${url}/docs`)
    t.equal(response?.status(), 200)
    t.match(response?.headers()['content-security-policy'], /default-src 'none'/)
    await page.waitForSelector('.opblock-summary-path')
    const paths = await page.locator('.opblock-summary-path').allTextContents()
    t.ok(paths.some((path) => path.replaceAll('\u200b', '').includes('/v1/session/refresh')))
    t.match(await page.title(), /\S/)
    t.same(errors, [], 'no error in the console')
    const blocked = await page.evaluate(`fetch('https://elsewhere.invalid/').then(() => 'allowed', () => 'blocked')`)
    t.equal(blocked, 'blocked')
    t.match(errors.join(), /Content Security Policy/, 'violations are observed')
    if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT })
  })

  await t.test('a page of the server can keep a session with its cookies, from the sign-up to a refusal', async (t) => {
    const credentials = { username: 'chromium_user', password }
    t.equal((await fetchFrom(page, 'POST', '/v1/accounts', credentials)).status, 201)
    t.equal((await fetchFrom(page, 'POST', '/v1/session', credentials)).status, 200)
    t.same(await cookies(), ['device', 'refresh', 'session'])
    t.equal(await page.evaluate('document.cookie'), '', 'scripts cannot read tokens')
    for (const cookie of await context.cookies()) {
      t.match(cookie, { httpOnly: true, secure: false, sameSite: cookie.name === 'session' ? 'Lax' : 'Strict' })
    }
    const post = await fetchFrom(page, 'POST', '/v1/posts', { text: 'From Chromium' })
    t.equal(post.status, 201)
    for (const value of ['like', 'dislike']) {
      t.equal((await fetchFrom(page, 'PUT', `/v1/posts/${post.body?.id}/reaction`, { value })).status, 200, value)
    }
    const before = (await context.cookies()).find(({ name }) => name === 'refresh')?.value
    t.equal((await fetchFrom(page, 'POST', '/v1/session/refresh')).status, 200)
    t.not((await context.cookies()).find(({ name }) => name === 'refresh')?.value, before)
    t.match(await fetchFrom(page, 'GET', '/v1/session'), {
      status: 200,
      body: { account: { username: 'chromium_user' } },
    })
    t.equal((await fetchFrom(page, 'DELETE', '/v1/session')).status, 204)
    t.same(await cookies(), ['device'])
    t.equal((await fetchFrom(page, 'GET', '/v1/session')).status, 401)
    t.equal((await fetchFrom(page, 'POST', '/v1/session', credentials)).status, 200)
  })

  await t.test(
    'cookies of other paths with the same names neither hide the session nor outlive a logout',
    async (t) => {
      const credentials = { username: 'chromium_user', password }
      const { headers } = await makeClient(url).post('v1/accounts', { json: { username: 'planted', password } })
      const planted = carried(setCookies(headers), 'session')
      for (const [name, value] of ['session', 'refresh', 'device'].map((name) => [name, `stranger of ${name}`])) {
        for (const path of ['/v1', '/v1/session'])
          await page.evaluate(`document.cookie = '${name}=${value}; path=${path}'`)
      }
      t.match(await fetchFrom(page, 'GET', '/v1/session'), { body: { account: { username: 'chromium_user' } } })
      t.equal((await fetchFrom(page, 'POST', '/v1/session/refresh')).status, 200)
      // A live session of another account, which the browser sends first.
      await page.evaluate(`document.cookie = '${planted.cookie}; path=/v1'`)
      t.match(await fetchFrom(page, 'GET', '/v1/session'), { body: { account: { username: 'chromium_user' } } })
      t.equal((await fetchFrom(page, 'DELETE', '/v1/session')).status, 204)
      t.equal((await fetchFrom(page, 'GET', '/v1/session')).status, 401)
      t.equal((await makeClient(url).get('v1/session', { headers: planted })).statusCode, 401, 'it has ended, too')
      t.equal((await fetchFrom(page, 'POST', '/v1/session', credentials)).status, 200)
      t.match(await fetchFrom(page, 'GET', '/v1/session'), { body: { account: { username: 'chromium_user' } } })
    },
  )

  await t.test('127.0.0.1 and localhost are one server with separate cookies', async (t) => {
    const other = await context.newPage()
    await other.goto(`http://localhost:${port}/docs`)
    t.equal((await fetchFrom(other, 'GET', '/v1/session')).status, 401)
    t.equal((await fetchFrom(other, 'POST', '/v1/session', { username: 'chromium_user', password })).status, 200)
    t.equal((await fetchFrom(other, 'POST', '/v1/posts', { text: 'From localhost' })).status, 201)
    await other.close()
  })
})
