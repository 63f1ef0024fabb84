import type { Db } from 'mongodb'
import type { BrowserContext, Page } from 'playwright-core'
import t from 'tap'
import { dataCollections } from '../data-collections.ts'
import { password } from '../helper.ts'
import { fetchFrom, inChromium, openChromium } from './chromium.ts'
import { recordRequests } from './received-requests.ts'
import { httpSites, httpsSites } from './sites.ts'

const username = 'chromium_user'

/** Collections that the server writes by itself: heartbeats, and counts of limits. */
const ownCollections = new Set(['revocations', 'throttle'])

/** All other documents, without the times of last use, which a read may update. */
async function allDocuments(db: Db): Promise<unknown> {
  const collections = (await dataCollections(db)).filter(({ collectionName }) => !ownCollections.has(collectionName))
  const contents = collections.map(async (one) => [one.collectionName, await one.find().sort({ _id: 1 }).toArray()])
  const stored = Object.fromEntries(await Promise.all(contents))
  return JSON.parse(JSON.stringify(stored, (key, value) => (/^last.*At$/.test(key) ? undefined : value)))
}

/** The paths with a GET operation, with an existing post and username filled in. */
async function readablePaths(page: Page, post: string): Promise<string[]> {
  const paths: Record<string, object> = await page.evaluate(
    `fetch('/openapi.json').then((r) => r.json()).then((d) => d.paths)`,
  )
  return Object.entries(paths)
    .filter(([path, item]) => path.startsWith('/v1/') && 'get' in item)
    .map(([path]) => path.replace('{id}', post).replace('{username}', username))
}

const tokens = async (context: BrowserContext) => (await context.cookies()).map(({ name, value }) => [name, value])

/** The events of image elements with these URLs. */
const loadImages = (page: Page, urls: string[]): Promise<string[]> =>
  page.evaluate(`Promise.all(${JSON.stringify(urls)}.map((src) => new Promise((resolve) => {
    Object.assign(new Image(), { onload: () => resolve('load'), onerror: () => resolve('error'), src })
  })))`)

const fetched = (page: Page, url: string, options: object): Promise<string> =>
  page.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify(options)}).then(() => 'allowed', () => 'blocked')`)

/** Puts a link or form into a page and clicks it, which navigates to the URL. */
async function navigate(page: Page, html: string, url: string) {
  await page.evaluate(`document.body.innerHTML = ${JSON.stringify(html)}`)
  const [response] = await Promise.all([page.waitForResponse(url), page.click('a, button')])
  await page.waitForURL(url)
  return response
}

for (const [scheme, startSites] of Object.entries({ http: httpSites, https: httpsSites })) {
  t.test(`over ${scheme} other origins can neither read nor write in a session`, inChromium, async (t) => {
    const { app, db, home, sameSite, crossSite, secure, args } = await startSites(t)
    const context = await openChromium(t, args)
    const page = await context.newPage()
    await page.goto(`${home}/docs`)
    t.equal((await fetchFrom(page, 'POST', '/v1/accounts', { username, password })).status, 201)
    const post = (await fetchFrom(page, 'POST', '/v1/posts', { text: 'From home' })).body?.id ?? ''
    const reaction = `/v1/posts/${post}/reaction`
    const paths = await readablePaths(page, post)
    t.ok(paths.length >= 8, `${paths.length} readable paths`)
    // A control with SameSite=None shows which requests could carry cookies. It must be Secure, so not over http.
    const control = secure ? ['control'] : []
    for (const name of control) await context.addCookies([{ name, value: 'x', url: home, secure, sameSite: 'None' }])
    const before = { stored: await allDocuments(db), tokens: await tokens(context) }
    const takeRequests = recordRequests(app)
    const sessionCookies = ['device', 'refresh', 'session'].map((name) => (secure ? `__Host-${name}` : name))
    const all = [...sessionCookies, ...control]
    const lax = [...sessionCookies.slice(2), ...control]
    // SameSite does not hold back cookies from a same-site page: only its Origin header gives it away.
    const others = [
      { name: 'same-site', origin: sameSite, cookies: all, onLink: all, read: 200 },
      { name: 'cross-site', origin: crossSite, cookies: control, onLink: lax, read: 401 },
    ]

    for (const { name, origin, cookies, onLink, read } of others) {
      const other = await context.newPage()
      await other.goto(origin)

      await t.test(`a ${name} page cannot load images from the API`, async (t) => {
        // A stream never fails as an image does.
        const images = paths.filter((path) => path !== '/v1/stream')
        const urls = images.map((path) => home + path)
        t.same(new Set(await loadImages(other, urls)), new Set(['error']))
        const received = takeRequests().map(({ request, cookies }) => [request, cookies])
        t.same(received.sort(), images.map((path) => [`GET ${path}`, cookies]).sort())
      })

      await t.test(`a ${name} page’s fetch with credentials reads nothing and writes nothing`, async (t) => {
        for (const mode of ['cors', 'no-cors']) {
          t.equal(await fetched(other, `${home}/v1/session`, { mode, credentials: 'include' }), 'blocked', mode)
          const sent = mode === 'cors' ? origin : undefined
          t.same(takeRequests(), [{ request: 'GET /v1/session', origin: sent, cookies, status: read }], mode)
        }
        for (const write of ['POST /v1/posts', 'PATCH /v1/account', `PUT ${reaction}`, 'DELETE /v1/session']) {
          const [method = '', path = ''] = write.split(' ')
          await t.rejects(fetchFrom(other, method, home + path, { text: 'x' }), write)
          const preflight = { request: `OPTIONS ${path}`, origin, cookies: [], status: 405 }
          t.same(takeRequests(), [preflight], 'only the preflight arrives')
        }
        // A simple request has no preflight: it arrives, and is refused.
        const simple = { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"text":"x"}' }
        t.equal(await fetched(other, `${home}/v1/posts`, simple), 'blocked')
        t.same(takeRequests(), [{ request: 'POST /v1/posts', origin, cookies, status: 403 }])
      })

      await t.test(`a ${name} page’s link carries the cookies that SameSite allows`, async (t) => {
        const url = `${home}/v1/session`
        t.equal((await navigate(other, `<a href="${url}">x</a>`, url)).status(), 200)
        t.same(takeRequests(), [{ request: 'GET /v1/session', origin: undefined, cookies: onLink, status: 200 }])
        await other.goto(origin)
      })

      await t.test(`a ${name} page’s forms get 403`, async (t) => {
        const headsByOrigin = { [origin]: '', null: '<meta name="referrer" content="no-referrer">' }
        for (const path of ['/v1/posts', '/v1/session', '/v1/session/refresh', '/v1/accounts']) {
          for (const [sent, head] of Object.entries(headsByOrigin)) {
            const url = home + path
            // Without fields: a route without a body, such as the refresh, would accept it.
            const html = `${head}<form method="post" action="${url}"><button>x</button></form>`
            t.match(await (await navigate(other, html, url)).json(), { code: 'cross-site' }, path)
            t.same(takeRequests(), [{ request: `POST ${path}`, origin: sent, cookies, status: 403 }], path)
            await other.goto(origin)
          }
        }
      })

      await other.close()
      t.same(await allDocuments(db), before.stored, 'no document changed')
      t.same(await tokens(context), before.tokens, 'no cookie changed')
    }
    t.match(await fetchFrom(page, 'GET', '/v1/session'), { status: 200, body: { account: { username } } })
  })
}
