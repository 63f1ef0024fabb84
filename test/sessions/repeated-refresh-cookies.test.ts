import type { FastifyRequest } from 'fastify'
import { UUID } from 'mongodb'
import t from 'tap'
import { sessionCookies } from '../../src/sessions/cookies.ts'
import { presentedRefreshTokens } from '../../src/sessions/presented.ts'
import { newRefreshToken, parseRefreshToken, serializeRefreshToken } from '../../src/sessions/refresh-token.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { type Cookies, logIn } from './servers.ts'
import { carried, setCookies } from './set-cookies.ts'

type Body = { account?: { username: string }; items?: { event: string }[]; code?: string }

const refreshCookie = (cookies: Cookies) => carried(cookies, 'refresh').cookie
const join = (...cookies: string[]) => ({ cookie: cookies.join('; ') })

t.test('several refresh cookies', async (t) => {
  const { url } = await testServer(t)
  const begin = async () => {
    const { username, client } = await signUp(url)
    return { username, client, ...(await logIn(url, username)) }
  }
  const refresh = (headers: { cookie: string }) => makeClient(url).post<Body>('v1/session/refresh', { headers })
  const isLive = async ({ cookies }: { cookies: Cookies }) =>
    (await makeClient(url).get('v1/session', { headers: carried(cookies, 'session') })).statusCode === 200
  /** The refresh tokens of a session after two refreshes, and after the 10 seconds in which an old one is good. */
  async function rotated() {
    const begun = await begin()
    const second = setCookies((await refresh(carried(begun.cookies, 'refresh'))).headers)
    const third = setCookies((await refresh(carried(second, 'refresh'))).headers)
    return {
      ...begun,
      stale: refreshCookie(begun.cookies),
      current: refreshCookie(third),
      previous: refreshCookie(second),
    }
  }
  const events = async (client: Awaited<ReturnType<typeof begin>>['client']) =>
    (await client.get<Body>('v1/account/activity')).body.items?.map(({ event }) => event)

  await t.test('a stranger’s before or behind the good one changes nothing', async (t) => {
    let { cookies, username } = await begin()
    const strange = [
      'refresh=x',
      'refresh=',
      'refresh="',
      `refresh=${'A'.repeat(86)}`,
      `refresh=${cookies.session?.value}`,
    ]
    for (const headers of [
      join(...strange, refreshCookie(cookies)),
      join('$Version="1"', `refresh="${cookies.refresh?.value}"`, '$Path="/"'),
    ]) {
      const { statusCode, body } = await refresh(headers)
      t.match({ statusCode, body }, { statusCode: 200, body: { account: { username } } })
    }
    const behind = await begin()
    cookies = behind.cookies
    username = behind.username
    t.match((await refresh(join(refreshCookie(cookies), ...strange))).body, { account: { username } })
  })

  await t.test('a stale copy beside the current token of its family is no theft', async (t) => {
    for (const order of ['stale first', 'current first']) {
      const session = await rotated()
      const copies = [session.stale, session.previous, session.current]
      const { statusCode } = await refresh(join(...(order === 'stale first' ? copies : copies.reverse())))
      t.equal(statusCode, 200, order)
      t.ok(await isLive(session), order)
    }
    const { stale, previous, ...session } = await rotated()
    t.equal((await refresh(join(stale, previous))).statusCode, 200, 'nor beside the one replaced within 10 seconds')
    t.ok(await isLive(session))
  })

  await t.test('a reused token of another family ends that family, and the good one counts', async (t) => {
    for (const order of ['reused first', 'good first']) {
      const [reused, good] = [await rotated(), await begin()]
      const both = [reused.stale, refreshCookie(good.cookies)]
      const { statusCode, body, headers } = await refresh(join(...(order === 'good first' ? both.reverse() : both)))
      t.match({ statusCode, body }, { statusCode: 200, body: { account: { username: good.username } } }, order)
      t.same(Object.keys(setCookies(headers)).sort(), ['refresh', 'session'])
      t.notOk(await isLive(reused), 'a stolen copy has been shown')
      t.match(await events(reused.client), ['refresh-reused'])
      t.ok(await isLive(good))
    }
  })

  await t.test('of two good ones the later counts, and the other stays good', async (t) => {
    const [ann, bob] = [await begin(), await begin()]
    const { body } = await refresh(join(refreshCookie(ann.cookies), refreshCookie(bob.cookies)))
    t.match(body, { account: { username: bob.username } })
    t.equal((await refresh(carried(ann.cookies, 'refresh'))).statusCode, 200)
  })

  await t.test('a confirmation takes the current token of its own session', async (t) => {
    const [session, other] = [await rotated(), await begin()]
    const own = carried(session.cookies, 'session').cookie
    for (const order of [
      [session.stale, session.current],
      [session.current, session.stale],
    ]) {
      const headers = join(own, refreshCookie(other.cookies), ...order)
      const { statusCode } = await makeClient(url).post('v1/session/confirm', { headers, json: { password } })
      t.equal(statusCode, 200)
    }
    t.ok((await isLive(session)) && (await isLive(other)))
  })
})

t.test('the limit on refreshes', async (t) => {
  const { url } = await testServer(t, { LIMIT_REFRESHES_PER_ACCOUNT: '2' })
  const refresh = (cookie: string) => makeClient(url).post('v1/session/refresh', { headers: { cookie } })
  let { cookies } = await logIn(url, (await signUp(url)).username)
  for (let n = 0; n < 2; n += 1) cookies = setCookies((await refresh(refreshCookie(cookies))).headers)
  const over = refreshCookie(cookies)
  t.equal((await refresh(over)).statusCode, 429)
  t.equal(
    (await refresh(`${over}; refresh=${'A'.repeat(86)}`)).statusCode,
    401,
    'another account’s token lifts no limit',
  )
  const other = await logIn(url, (await signUp(url)).username)
  t.equal(
    (await refresh(`${refreshCookie(other.cookies)}; ${over}`)).statusCode,
    200,
    'nor does one over it stop others',
  )
})

t.test('of 150 refresh cookies, those after the first eight tokens are not read', async (t) => {
  const texts = Array.from({ length: 150 }, () => serializeRefreshToken(newRefreshToken(new UUID())))
  texts[3] = 'no token'
  const tokens = texts.filter((text) => text !== 'no token').slice(0, 8)
  Object.defineProperty(texts, 9, { get: () => t.fail('another is read') })
  // The cookies are these, whatever the request.
  const presented = presentedRefreshTokens({} as FastifyRequest, { refresh: () => texts })
  t.same(presented.map(serializeRefreshToken), tokens)
})

t.test(
  'of 1,150 short cookies of our names none is kept, and a text of another length than a token is not decoded',
  async (t) => {
    const token = serializeRefreshToken(newRefreshToken(new UUID()))
    const device = 'd'.repeat(43)
    const junk = Array.from({ length: 380 }, (_, n) => `refresh=${n}; session=${n}; device=${n}`)
    const header = [...junk, `refresh=${token}`, ...junk, `device="${device}"`].join('; ')
    // Of a request, cookies are read from the headers alone.
    const request = { headers: { cookie: header } } as FastifyRequest
    const cookies = sessionCookies(false)
    t.same(cookies.refresh(request), [token])
    t.same(cookies.device(request), [device])
    t.same(cookies.access(request), [])
    t.ok(cookies.hasAccess(request), 'but that there is one is known')

    const decoded = t.capture(Buffer, 'from', Buffer.from)
    t.same([`${token}A`, token.slice(1), 'x'.repeat(43)].map(parseRefreshToken), [undefined, undefined, undefined])
    t.same(decoded(), [])
  },
)
