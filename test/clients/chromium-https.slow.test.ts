import t from 'tap'
import { password } from '../helper.ts'
import { fetchFrom, inChromium, openChromium } from './chromium.ts'
import { httpsSites } from './sites.ts'

const day = 86_400

t.test('in Chromium over https cookies have the prefix __Host- and belong to this host only', inChromium, async (t) => {
  const { home, args } = await httpsSites(t)
  const context = await openChromium(t, args)
  const page = await context.newPage()
  await page.goto(`${home}/docs`)
  const credentials = { username: 'chromium_user', password }
  const startedAt = Math.floor(Date.now() / 1000)
  t.equal((await fetchFrom(page, 'POST', '/v1/accounts', credentials)).status, 201)

  const kept = (await context.cookies()).sort((a, b) => a.name.localeCompare(b.name))
  // With a Domain attribute it would begin with a dot, and sibling hosts would get the cookie.
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
    const lifetime = (kept[n]?.expires ?? 0) - startedAt
    // On a slow machine the cookie is set some time after the request.
    t.ok(lifetime > seconds - 2 && lifetime < seconds + 240, `${kept[n]?.name}: ${lifetime} s`)
  }
  t.equal(await page.evaluate('document.cookie'), '', 'scripts cannot read tokens')

  const names = async () => (await context.cookies()).map(({ name }) => name).sort()
  const refreshToken = async () => (await context.cookies()).find(({ name }) => name === '__Host-refresh')?.value
  const before = await refreshToken()
  t.equal((await fetchFrom(page, 'POST', '/v1/session/refresh')).status, 200)
  t.not(await refreshToken(), before)
  t.equal((await fetchFrom(page, 'POST', '/v1/posts', { text: 'From Chromium' })).status, 201)
  t.equal((await fetchFrom(page, 'DELETE', '/v1/session')).status, 204)
  t.same(await names(), ['__Host-device'], 'cookies with a prefix are cleared as well')
  t.equal((await fetchFrom(page, 'POST', '/v1/session', credentials)).status, 200)
  t.match(await fetchFrom(page, 'GET', '/v1/session'), {
    status: 200,
    body: { account: { username: 'chromium_user' } },
  })
})

t.test('after one visit Chromium refuses plain http for the server’s name (HSTS)', inChromium, async (t) => {
  const { home, impostor, args } = await httpsSites(t)
  const page = await (await openChromium(t, args)).newPage()
  t.equal((await page.goto(impostor))?.status(), 200, 'before, an impostor is trusted')
  await page.goto(`${home}/health/live`)
  // It upgrades to https (RFC 6797), which the impostor does not serve.
  await t.rejects(page.goto(impostor), { message: /ERR_SSL_PROTOCOL_ERROR/ })
})
