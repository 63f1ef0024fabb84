import type { Db } from 'mongodb'
import type { BrowserContext, Page } from 'playwright-core'
import t from 'tap'
import { password } from '../helper.ts'
import { arrivalsAt } from './arrivals.ts'
import { ask, inChromium, openChromium } from './chromium.ts'
import { overHttp, overHttps } from './sites.ts'

const username = 'chromium_user'

/** What the server writes for itself, whoever asks: a process's beat, what it lends from limits. */
const itsOwn = new Set(['revocations', 'throttle'])

/** All that is stored of people, but when one was last seen, which reading may note. */
async function everything(db: Db): Promise<unknown> {
  const collections = (await db.collections()).filter(({ collectionName }) => !itsOwn.has(collectionName))
  const contents = collections.map(async (one) => [one.collectionName, await one.find().sort({ _id: 1 }).toArray()])
  const stored = Object.fromEntries(await Promise.all(contents))
  return JSON.parse(JSON.stringify(stored, (key, value) => (/^last.*At$/.test(key) ? undefined : value)))
}

/** What can be read, by path, with the ids of what is there. */
async function readable(page: Page, post: string): Promise<string[]> {
  const paths: Record<string, object> = await page.evaluate(
    `fetch('/openapi.json').then((r) => r.json()).then((d) => d.paths)`,
  )
  return Object.entries(paths)
    .filter(([path, item]) => path.startsWith('/v1/') && 'get' in item)
    .map(([path]) => path.replace('{id}', post).replace('{username}', username))
}

const tokens = async (context: BrowserContext) => (await context.cookies()).map(({ name, value }) => [name, value])

/** How each picture of these addresses ends. */
const pictures = (page: Page, urls: string[]): Promise<string[]> =>
  page.evaluate(`Promise.all(${JSON.stringify(urls)}.map((src) => new Promise((resolve) => {
    Object.assign(new Image(), { onload: () => resolve('seen'), onerror: () => resolve('nothing'), src })
  })))`)

const fetched = (page: Page, url: string, options: object): Promise<string> =>
  page.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify(options)}).then(() => 'got', () => 'blocked')`)

/** Puts an element into a page and clicks it, which leads to the address. */
async function follow(page: Page, html: string, url: string) {
  await page.evaluate(`document.body.innerHTML = ${JSON.stringify(html)}`)
  const [response] = await Promise.all([page.waitForResponse(url), page.click('a, button')])
  await page.waitForURL(url)
  return response
}

for (const [scheme, over] of Object.entries({ http: overHttp, https: overHttps })) {
  t.test(`what a page of another origin can do over ${scheme}`, inChromium, async (t) => {
    const { app, db, home, sibling, stranger, secure, args } = await over(t)
    const context = await openChromium(t, args)
    const page = await context.newPage()
    await page.goto(`${home}/docs`)
    t.equal((await ask(page, 'POST', '/v1/accounts', { username, password })).status, 201)
    const post = (await ask(page, 'POST', '/v1/posts', { text: 'From home' })).body?.id ?? ''
    const reaction = `/v1/posts/${post}/reaction`
    const paths = await readable(page, post)
    t.ok(paths.length >= 8, `${paths.length} paths to read`)
    // A cookie that SameSite does not hold back shows where cookies could go; it must be Secure, so over http there is none.
    const control = secure ? ['control'] : []
    for (const name of control) await context.addCookies([{ name, value: 'x', url: home, secure, sameSite: 'None' }])
    const before = { stored: await everything(db), tokens: await tokens(context) }
    const take = arrivalsAt(app)
    const ours = ['device', 'refresh', 'session'].map((name) => (secure ? `__Host-${name}` : name))
    const all = [...ours, ...control]
    const lax = [...ours.slice(2), ...control]
    // SameSite is about sites, and a sibling is of ours: against it there is only its Origin.
    const others = [
      { name: 'of the same site', origin: sibling, cookies: all, onLink: all, read: 200 },
      { name: 'of another site', origin: stranger, cookies: control, onLink: lax, read: 401 },
    ]

    for (const { name, origin, cookies, onLink, read } of others) {
      const other = await context.newPage()
      await other.goto(origin)

      await t.test(`one ${name}: pictures`, async (t) => {
        const urls = paths.map((path) => home + path)
        t.same(new Set(await pictures(other, urls)), new Set(['nothing']))
        const arrived = take().map(({ asked, cookies }) => [asked, cookies])
        t.same(arrived.sort(), paths.map((path) => [`GET ${path}`, cookies]).sort())
      })

      await t.test(`one ${name}: fetch with credentials`, async (t) => {
        for (const mode of ['cors', 'no-cors']) {
          t.equal(await fetched(other, `${home}/v1/session`, { mode, credentials: 'include' }), 'blocked', mode)
          const said = mode === 'cors' ? origin : undefined
          t.same(take(), [{ asked: 'GET /v1/session', origin: said, cookies, status: read }], mode)
        }
        for (const write of ['POST /v1/posts', 'PATCH /v1/account', `PUT ${reaction}`, 'DELETE /v1/session']) {
          const [method = '', path = ''] = write.split(' ')
          await t.rejects(ask(other, method, home + path, { text: 'x' }), write)
          const preflight = { asked: `OPTIONS ${path}`, origin, cookies: [], status: 405 }
          t.same(take(), [preflight], 'not more than the question whether it may')
        }
        // A simple request, for which that is not asked: it arrives, and is refused.
        const simple = { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"text":"x"}' }
        t.equal(await fetched(other, `${home}/v1/posts`, simple), 'blocked')
        t.same(take(), [{ asked: 'POST /v1/posts', origin, cookies, status: 403 }])
      })

      await t.test(`one ${name}: a link`, async (t) => {
        const url = `${home}/v1/session`
        t.equal((await follow(other, `<a href="${url}">x</a>`, url)).status(), 200)
        t.same(take(), [{ asked: 'GET /v1/session', origin: undefined, cookies: onLink, status: 200 }])
        await other.goto(origin)
      })

      await t.test(`one ${name}: a form`, async (t) => {
        const heads = { [origin]: '', null: '<meta name="referrer" content="no-referrer">' }
        for (const path of ['/v1/posts', '/v1/session', '/v1/session/refresh', '/v1/accounts']) {
          for (const [said, head] of Object.entries(heads)) {
            const url = home + path
            // Without a field: what takes no body, such as a refresh, would do it.
            const html = `${head}<form method="post" action="${url}"><button>x</button></form>`
            t.match(await (await follow(other, html, url)).json(), { code: 'cross-site' }, path)
            t.same(take(), [{ asked: `POST ${path}`, origin: said, cookies, status: 403 }], path)
            await other.goto(origin)
          }
        }
      })

      await other.close()
      t.same(await everything(db), before.stored, 'nothing was changed')
      t.same(await tokens(context), before.tokens, 'nor the cookies')
    }
    t.match(await ask(page, 'GET', '/v1/session'), { status: 200, body: { account: { username } } })
  })
}
