import t from 'tap'
import { password } from '../helper.ts'
import { ask, inChromium, openChromium } from './chromium.ts'
import { overHttps } from './sites.ts'

const day = 86_400

t.test('in Chromium over https the cookies have their prefix and are kept to this host', inChromium, async (t) => {
  const { home, args } = await overHttps(t)
  const context = await openChromium(t, args)
  const page = await context.newPage()
  await page.goto(`${home}/docs`)
  const credentials = { username: 'chromium_user', password }
  const begun = Math.floor(Date.now() / 1000)
  t.equal((await ask(page, 'POST', '/v1/accounts', credentials)).status, 201)

  const kept = (await context.cookies()).sort((a, b) => a.name.localeCompare(b.name))
  // With a Domain attribute there would be a dot before it, and all its siblings would have the cookie.
  const common = { domain: 'app.rookery.test', path: '/', secure: true, httpOnly: true }
  t.same(
    kept.map(({ value: _value, expires: _expires, ...attributes }) => attributes),
    [
      { ...common, name: '__Host-device', sameSite: 'Strict' },
      { ...common, name: '__Host-refresh', sameSite: 'Strict' },
      { ...common, name: '__Host-session', sameSite: 'Lax' },
    ],
  )
  for (const [n, seconds] of [400 * day, 30 * day, 900].entries()) {
    const lifetime = (kept[n]?.expires ?? 0) - begun
    // However slow the machine is, the cookie was set after it was asked for.
    t.ok(lifetime > seconds - 2 && lifetime < seconds + 240, `${kept[n]?.name}: ${lifetime} s`)
  }
  t.equal(await page.evaluate('document.cookie'), '', 'no script sees a token')

  const names = async () => (await context.cookies()).map(({ name }) => name).sort()
  const refreshToken = async () => (await context.cookies()).find(({ name }) => name === '__Host-refresh')?.value
  const before = await refreshToken()
  t.equal((await ask(page, 'POST', '/v1/session/refresh')).status, 200)
  t.not(await refreshToken(), before)
  t.equal((await ask(page, 'POST', '/v1/posts', { text: 'From Chromium' })).status, 201)
  t.equal((await ask(page, 'DELETE', '/v1/session')).status, 204)
  t.same(await names(), ['__Host-device'], 'a cookie is cleared by its prefix too')
  t.equal((await ask(page, 'POST', '/v1/session', credentials)).status, 200)
  t.match(await ask(page, 'GET', '/v1/session'), { status: 200, body: { account: { username: 'chromium_user' } } })
})

t.test('once it has seen the server, Chromium says nothing to its name over http', inChromium, async (t) => {
  const { home, impostor, args } = await overHttps(t)
  const page = await (await openChromium(t, args)).newPage()
  t.equal((await page.goto(impostor))?.status(), 200, 'before, whoever answers is believed')
  await page.goto(`${home}/health/live`)
  // It asks over https (RFC 6797), which is not spoken there.
  await t.rejects(page.goto(impostor), { message: /ERR_SSL_PROTOCOL_ERROR/ })
})
