import { randomBytes } from 'node:crypto'
import { UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { carried, type SetCookie, setCookies } from './set-cookies.ts'

type LoggedIn = { account: { username: string }; session: { id: string; expiresAt: string } }
type Cookies = Record<string, SetCookie | undefined>

const dayMs = 86_400_000
const claims = (token: string | undefined) =>
  JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString())
const maxAgeSeconds = (cookie: SetCookie | undefined) =>
  Number(/Max-Age=(\d+)/.exec(cookie?.attributes.join() ?? '')?.[1])

t.test('refreshing', async (t) => {
  const { url, db } = await testServer(t)
  const refresh = (headers: Record<string, string>) => makeClient(url).post<LoggedIn>('v1/session/refresh', { headers })
  const status = async (headers: Record<string, string>) =>
    (await makeClient(url).get('v1/session', { headers })).statusCode
  /** Creates a session. @returns its cookies and id */
  const begin = async () => {
    const { username } = await signUp(url)
    const { headers, body } = await makeClient(url).post<LoggedIn>('v1/session', { json: { username, password } })
    return { username, cookies: setCookies(headers), id: body.session.id }
  }
  const sessions = db.collection<{ _id: UUID; endsAt: Date; refreshedAt: Date }>('sessions')

  t.test('a refresh needs the refresh cookie alone, sets both cookies, and continues the session', async (t) => {
    const { username, cookies, id } = await begin()
    const { statusCode, headers, body } = await refresh(carried(cookies, 'refresh'))
    t.equal(statusCode, 200)
    t.match(body, { account: { username }, session: { id, current: true } })
    const fresh = setCookies(headers)
    t.same(Object.keys(fresh).sort(), ['refresh', 'session'])
    t.same(fresh.session?.attributes, ['HttpOnly', 'Max-Age=900', 'Path=/', 'SameSite=Lax'])
    t.same(fresh.refresh?.attributes, ['HttpOnly', 'Max-Age=2592000', 'Path=/', 'SameSite=Strict'])
    t.not(fresh.refresh?.value, cookies.refresh?.value)
    t.equal(await status(carried(fresh, 'session')), 200)
  })

  t.test('through four rotations, a token just replaced gets the same successor again', async (t) => {
    let { cookies }: { cookies: Cookies } = await begin()
    for (let rotation = 0; rotation < 4; rotation += 1) {
      const next = setCookies((await refresh(carried(cookies, 'refresh'))).headers)
      const again = await refresh(carried(cookies, 'refresh'))
      t.equal(again.statusCode, 200)
      t.equal(setCookies(again.headers).refresh?.value, next.refresh?.value)
      t.not(next.refresh?.value, cookies.refresh?.value)
      cookies = next
    }
    t.equal((await refresh(carried(cookies, 'refresh'))).statusCode, 200)
  })

  t.test('no token, garbage, an access token, or another family gets 401 and leaves the session live', async (t) => {
    const { cookies } = await begin()
    const { value = '' } = cookies.refresh ?? {}
    const bytes = Buffer.from(value, 'base64url')
    const unknownFamily = Buffer.concat([bytes.subarray(0, 16), randomBytes(16), bytes.subarray(32)]).toString(
      'base64url',
    )
    const bad = [
      '',
      'x',
      value.slice(1),
      `${value}A`,
      `${value}=`,
      randomBytes(64).toString('base64url'),
      unknownFamily,
    ]
    for (const token of [...bad, cookies.session?.value, '"', '%00', 'a'.repeat(5000)]) {
      const { statusCode } = await refresh({ cookie: `refresh=${token}` })
      t.equal(statusCode, 401, `${token?.slice(0, 80)}`)
    }
    t.equal((await refresh({})).statusCode, 401)
    t.equal((await refresh(carried(cookies, 'session'))).statusCode, 401, 'the access cookie does not refresh')
    t.equal((await refresh(carried(cookies, 'refresh'))).statusCode, 200, 'the session is still live')
  })

  t.test('a session ends 30 days after the last refresh', async (t) => {
    const { cookies, id } = await begin()
    await sessions.updateOne({ _id: new UUID(id) }, { $set: { endsAt: new Date(Date.now() + 5_000) } })
    const before = Date.now()
    const { headers, body } = await refresh(carried(cookies, 'refresh'))
    const left = Date.parse(body.session.expiresAt) - before
    t.ok(left > 30 * dayMs - 1_000 && left < 30 * dayMs + 60_000, 'the 30 days start over with the refresh')
    const fresh = setCookies(headers)
    t.ok(Math.abs(maxAgeSeconds(fresh.refresh) - 30 * 86_400) < 60)
    await sessions.updateOne({ _id: new UUID(id) }, { $set: { endsAt: new Date(Date.now() - 1) } })
    t.equal(
      (await refresh(carried(fresh, 'refresh'))).statusCode,
      401,
      'an expired session is refused before the TTL index deletes it',
    )
    const read = await makeClient(url).get('v1/session', { headers: carried(fresh, 'session') })
    t.equal(read.statusCode, 401)
  })

  t.test(
    'a session ends 90 days after the login despite refreshes, and its last access token expires by then',
    async (t) => {
      /** Refreshes a session that began `ms` milliseconds ago. */
      const refreshAtAge = async (ms: number) => {
        const { cookies, id } = await begin()
        const found = await sessions.findOneAndDelete({ _id: new UUID(id) })
        if (!found) throw new Error('no session')
        const older = v7({ msecs: Date.now() - ms })
        await sessions.insertOne({ ...found, _id: new UUID(older) })
        return refresh(carried(cookies, 'refresh'))
      }
      const old = await refreshAtAge(70 * dayMs)
      const left = Date.parse(old.body.session.expiresAt) - Date.now()
      t.ok(left > 20 * dayMs - 60_000 && left <= 20 * dayMs, '20 of the 90 days are left')
      t.ok(Math.abs(maxAgeSeconds(setCookies(old.headers).refresh) - 20 * 86_400) < 60)
      t.equal(maxAgeSeconds(setCookies(old.headers).session), 900)
      const last = await refreshAtAge(90 * dayMs - 120_000)
      t.equal(last.statusCode, 200)
      const { session } = setCookies(last.headers)
      t.ok(maxAgeSeconds(session) <= 120 && maxAgeSeconds(session) > 0, `${maxAgeSeconds(session)}`)
      const { exp, iat } = claims(session?.value)
      t.ok(exp * 1000 <= Date.parse(last.body.session.expiresAt), 'exp is not past the end')
      t.equal(exp - iat, maxAgeSeconds(session))
    },
  )

  t.test('sessions have a TTL index on endsAt and a unique index on account and family', async (t) => {
    const indexes = await sessions.indexes()
    t.match(
      indexes.find(({ key }) => 'endsAt' in key),
      { key: { endsAt: 1 }, expireAfterSeconds: 0 },
    )
    t.match(
      indexes.find(({ key }) => 'family' in key),
      { key: { account: 1, family: 1 }, unique: true },
    )
  })
})
