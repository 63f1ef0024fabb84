import t from 'tap'
import { makeClient, password } from '../helper.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { fetchFrom, inChromium, openChromium } from './chromium.ts'
import { recordRequests } from './received-requests.ts'
import { httpsSites } from './sites.ts'

/** An attacker's own live session and its cookies. */
async function startAttackerSession(url: string, username: string) {
  const client = makeClient(url)
  const { headers } = await client.post('v1/accounts', { json: { username, password } })
  const cookies = Object.entries(setCookies(headers)).map(([name, set]) => ({ name, value: set?.value ?? '' }))
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  const isLive = async () => (await client.get('v1/session', { headers: { cookie } })).statusCode === 200
  return { cookies, isLive }
}

/** Set-Cookie lines that a server might mistake for the session's cookies. */
function tossedCookies(cookies: { name: string; value: string }[]): string[] {
  const domains = ['Domain=rookery.test; ', 'Domain=app.rookery.test; ', '']
  // Of two cookies with one name, browsers send the one with the longer path first.
  const ends = ['Path=/; Secure', 'Path=/v1; Secure', 'Path=/']
  return cookies.flatMap(({ name, value }) => {
    // Unchanged; without the prefix; in lower case; as the value of a nameless cookie; after white space.
    const names = [name, name.replace('__Host-', ''), name.toLowerCase(), `=${name}`, `\u00a0${name}`]
    return names.flatMap((as) => domains.flatMap((domain) => ends.map((end) => `${as}=${value}; ${domain}${end}`)))
  })
}

const means = {
  'a response': `await fetch('/?set=' + encodeURIComponent(line)).catch(() => undefined)`,
  'a script': 'document.cookie = line',
}

t.test('in Chromium over https a cookie tossed by another origin is never used as a session', inChromium, async (t) => {
  const { app, url, home, sameSite, impostor, args } = await httpsSites(t)
  const takeRequests = recordRequests(app)
  const origins = [
    ...Object.entries(means).map(([name, mean]) => ({
      name: `by ${name} of a same-site host`,
      origin: sameSite,
      mean,
    })),
    ...Object.entries(means).map(([name, mean]) => ({
      name: `by ${name} over http in the server’s name`,
      origin: impostor,
      mean,
    })),
  ]

  for (const [n, { name, origin, mean }] of origins.entries()) {
    await t.test(`cookies tossed ${name} start no session and replace none`, async (t) => {
      const attacker = await startAttackerSession(url, `attacker_${n}`)
      t.ok(await attacker.isLive(), 'these cookies are a live session')
      const lines = JSON.stringify(tossedCookies(attacker.cookies))
      const context = await openChromium(t, args)
      // First, and open until the end: after a visit to the server, HSTS prevents requests over http.
      const other = await context.newPage()
      await other.goto(origin)
      const toss = () => other.evaluate(`(async () => { for (const line of ${lines}) ${mean} })()`)
      await toss()

      const page = await context.newPage()
      await page.goto(`${home}/docs`)
      const prefixedCookies = async () => (await context.cookies(home)).filter(({ name }) => /^__Host-/i.test(name))
      t.same(await prefixedCookies(), [])
      takeRequests()
      t.equal((await fetchFrom(page, 'GET', '/v1/session')).status, 401, 'no session')
      const received = takeRequests().flatMap(({ cookies }) => cookies)
      const prefixed = received.filter((name) => /^__Host-/i.test(name))
      t.same(prefixed, [])
      for (const plain of ['device', 'refresh', 'session'])
        t.ok(received.includes(plain), `${plain} without a prefix was sent`)
      t.match(await fetchFrom(page, 'GET', `/v1/accounts/attacker_${n}`), { status: 200, body: { viewer: null } })
      t.equal((await fetchFrom(page, 'POST', '/v1/session/refresh')).status, 401, 'no refresh either')

      const username = `victim_${n}`
      t.equal((await fetchFrom(page, 'POST', '/v1/accounts', { username, password })).status, 201)
      const ownCookies = await prefixedCookies()
      t.equal(ownCookies.length, 3)
      await toss()
      t.same(await prefixedCookies(), ownCookies, 'existing cookies are not replaced')
      const victim = { status: 200, body: { account: { username } } }
      t.match(await fetchFrom(page, 'GET', '/v1/session'), victim)
      t.match(await fetchFrom(page, 'POST', '/v1/session/refresh'), victim)
      t.equal((await fetchFrom(page, 'DELETE', '/v1/session')).status, 204)
      t.ok(await attacker.isLive(), 'the attacker’s session was neither used nor ended')
    })
  }
})
