import t from 'tap'
import { makeClient, password } from '../helper.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { arrivalsAt } from './arrivals.ts'
import { ask, inChromium, openChromium } from './chromium.ts'
import { overHttps } from './sites.ts'

/** Somebody with a live session, and the cookies that it takes to be in it. */
async function attackerAt(url: string, username: string) {
  const client = makeClient(url)
  const { headers } = await client.post('v1/accounts', { json: { username, password } })
  const cookies = Object.entries(setCookies(headers)).map(([name, set]) => ({ name, value: set?.value ?? '' }))
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  const isLive = async () => (await client.get('v1/session', { headers: { cookie } })).statusCode === 200
  return { cookies, isLive }
}

/** Every way to write a cookie that might pass for one of ours. */
function plantings(cookies: { name: string; value: string }[]): string[] {
  const reaches = ['Domain=rookery.test; ', 'Domain=app.rookery.test; ', '']
  // Of two of a name the one with the longer path goes first, and a server reads that.
  const ends = ['Path=/; Secure', 'Path=/v1; Secure', 'Path=/']
  return cookies.flatMap(({ name, value }) => {
    // As it is; without its prefix; in other letters; as the value of a cookie without a name; after a white space.
    const names = [name, name.replace('__Host-', ''), name.toLowerCase(), `=${name}`, `\u00a0${name}`]
    return names.flatMap((as) => reaches.flatMap((reach) => ends.map((end) => `${as}=${value}; ${reach}${end}`)))
  })
}

const means = {
  answers: `await fetch('/?set=' + encodeURIComponent(line)).catch(() => undefined)`,
  scripts: 'document.cookie = line',
}

t.test('in Chromium over https a planted cookie is nobody’s session', inChromium, async (t) => {
  const { app, url, home, sibling, impostor, args } = await overHttps(t)
  const take = arrivalsAt(app)
  const ways = [
    ...Object.entries(means).map(([name, mean]) => ({ name: `${name} of a sibling`, origin: sibling, mean })),
    ...Object.entries(means).map(([name, mean]) => ({ name: `${name} over http in our name`, origin: impostor, mean })),
  ]

  for (const [n, { name, origin, mean }] of ways.entries()) {
    await t.test(name, async (t) => {
      const attacker = await attackerAt(url, `attacker_${n}`)
      t.ok(await attacker.isLive(), 'whoever sends these cookies is the attacker')
      const lines = JSON.stringify(plantings(attacker.cookies))
      const context = await openChromium(t, args)
      // First, and open until the end: having seen us once, the browser asks for nothing in our name over http (HSTS).
      const other = await context.newPage()
      await other.goto(origin)
      const plant = () => other.evaluate(`(async () => { for (const line of ${lines}) ${mean} })()`)
      await plant()

      const page = await context.newPage()
      await page.goto(`${home}/docs`)
      const ours = async () => (await context.cookies(home)).filter(({ name }) => /^__Host-/i.test(name))
      t.same(await ours(), [])
      take()
      t.equal((await ask(page, 'GET', '/v1/session')).status, 401, 'nobody is logged in')
      const came = take().flatMap(({ cookies }) => cookies)
      const prefixed = came.filter((name) => /^__Host-/i.test(name))
      t.same(prefixed, [])
      for (const plain of ['device', 'refresh', 'session'])
        t.ok(came.includes(plain), `${plain} came, for it has no prefix`)
      t.match(await ask(page, 'GET', `/v1/accounts/attacker_${n}`), { status: 200, body: { viewer: null } })
      t.equal((await ask(page, 'POST', '/v1/session/refresh')).status, 401, 'nor can anybody go on')

      const username = `victim_${n}`
      t.equal((await ask(page, 'POST', '/v1/accounts', { username, password })).status, 201)
      const begun = await ours()
      t.equal(begun.length, 3)
      await plant()
      t.same(await ours(), begun, 'what is there is not replaced')
      const victim = { status: 200, body: { account: { username } } }
      t.match(await ask(page, 'GET', '/v1/session'), victim)
      t.match(await ask(page, 'POST', '/v1/session/refresh'), victim)
      t.equal((await ask(page, 'DELETE', '/v1/session')).status, 204)
      t.ok(await attacker.isLive(), 'whose session was neither used nor ended')
    })
  }
})
