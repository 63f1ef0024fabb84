import { randomBytes } from 'node:crypto'
import { UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { carried, type SetCookie, setCookies } from './set-cookies.ts'

type LoggedIn = { account: { username: string }; session: { id: string; expiresAt: string } }
type Cookies = Record<string, SetCookie | undefined>

const day = 86_400_000
const claims = (token: string | undefined) =>
  JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString())
const maxAge = (cookie: SetCookie | undefined) => Number(/Max-Age=(\d+)/.exec(cookie?.attributes.join() ?? '')?.[1])

t.test('refreshing', async (t) => {
  const { url, db } = await testServer(t)
  const refresh = (headers: Record<string, string>) => makeClient(url).post<LoggedIn>('v1/session/refresh', { headers })
  const status = async (headers: Record<string, string>) =>
    (await makeClient(url).get('v1/session', { headers })).statusCode
  /** A new session's cookies and id; `db` may then be told that it is older. */
  const begin = async () => {
    const { username } = await signUp(url)
    const { headers, body } = await makeClient(url).post<LoggedIn>('v1/session', { json: { username, password } })
    return { username, cookies: setCookies(headers), id: body.session.id }
  }
  const sessions = db.collection<{ _id: UUID; endsAt: Date; refreshedAt: Date }>('sessions')

  t.test('the refresh cookie alone is enough; both cookies are new, and the same session goes on', async (t) => {
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

  t.test('a chain of turns: the token just replaced gets the same successor again', async (t) => {
    let { cookies }: { cookies: Cookies } = await begin()
    for (let turn = 0; turn < 4; turn += 1) {
      const next = setCookies((await refresh(carried(cookies, 'refresh'))).headers)
      const again = await refresh(carried(cookies, 'refresh'))
      t.equal(again.statusCode, 200)
      t.equal(setCookies(again.headers).refresh?.value, next.refresh?.value)
      t.not(next.refresh?.value, cookies.refresh?.value)
      cookies = next
    }
    t.equal((await refresh(carried(cookies, 'refresh'))).statusCode, 200)
  })

  t.test('what is no token of ours is 401: none, garbage, an access token, another family', async (t) => {
    const { cookies } = await begin()
    const { value = '' } = cookies.refresh ?? {}
    const bytes = Buffer.from(value, 'base64url')
    const strange = Buffer.concat([randomBytes(16), bytes.subarray(16)]).toString('base64url')
    const bad = ['', 'x', value.slice(1), `${value}A`, `${value}=`, randomBytes(48).toString('base64url'), strange]
    for (const token of [...bad, cookies.session?.value, '"', '%00', 'a'.repeat(5000)]) {
      const { statusCode } = await refresh({ cookie: `refresh=${token}` })
      t.equal(statusCode, 401, `${token?.slice(0, 80)}`)
    }
    t.equal((await refresh({})).statusCode, 401)
    t.equal((await refresh(carried(cookies, 'session'))).statusCode, 401, 'the access cookie does not refresh')
    t.equal((await refresh(carried(cookies, 'refresh'))).statusCode, 200, 'and none of it did harm')
  })

  t.test('the session ends 30 days after the last refresh', async (t) => {
    const { cookies, id } = await begin()
    await sessions.updateOne({ _id: new UUID(id) }, { $set: { endsAt: new Date(Date.now() + 5_000) } })
    const before = Date.now()
    const { headers, body } = await refresh(carried(cookies, 'refresh'))
    const left = Date.parse(body.session.expiresAt) - before
    t.ok(left > 30 * day - 1_000 && left < 30 * day + 60_000, 'a refresh begins the 30 days anew')
    const fresh = setCookies(headers)
    t.ok(Math.abs(maxAge(fresh.refresh) - 30 * 86_400) < 60)
    await sessions.updateOne({ _id: new UUID(id) }, { $set: { endsAt: new Date(Date.now() - 1) } })
    t.equal((await refresh(carried(fresh, 'refresh'))).statusCode, 401, 'over, whether MongoDB has removed it or not')
    const read = await makeClient(url).get('v1/session', { headers: carried(fresh, 'session') })
    t.equal(read.statusCode, 401)
  })

  t.test('and 90 days after the login, whatever was refreshed; its last access token not later', async (t) => {
    /** Begins a session anew as one that was begun so long ago. */
    const age = async (ms: number) => {
      const { cookies, id } = await begin()
      const found = await sessions.findOneAndDelete({ _id: new UUID(id) })
      if (!found) throw new Error('no session')
      const older = v7({ msecs: Date.now() - ms })
      await sessions.insertOne({ ...found, _id: new UUID(older) })
      return refresh(carried(cookies, 'refresh'))
    }
    const old = await age(70 * day)
    const left = Date.parse(old.body.session.expiresAt) - Date.now()
    t.ok(left > 20 * day - 60_000 && left <= 20 * day, '20 of the 90 days are left')
    t.ok(Math.abs(maxAge(setCookies(old.headers).refresh) - 20 * 86_400) < 60)
    t.equal(maxAge(setCookies(old.headers).session), 900)
    const last = await age(90 * day - 120_000)
    t.equal(last.statusCode, 200)
    const { session } = setCookies(last.headers)
    t.ok(maxAge(session) <= 120 && maxAge(session) > 0, `${maxAge(session)}`)
    const { exp, iat } = claims(session?.value)
    t.ok(exp * 1000 <= Date.parse(last.body.session.expiresAt), 'exp is not past the end')
    t.equal(exp - iat, maxAge(session))
  })

  t.test('MongoDB removes what has ended, and no two sessions share a family', async (t) => {
    const indexes = await sessions.indexes()
    t.match(
      indexes.find(({ key }) => 'endsAt' in key),
      { key: { endsAt: 1 }, expireAfterSeconds: 0 },
    )
    t.match(
      indexes.find(({ key }) => 'family' in key),
      { key: { family: 1 }, unique: true },
    )
  })
})
