import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { type Cookies, logIn } from './servers.ts'
import { carried, setCookies } from './set-cookies.ts'

type Activity = { items: { event: string }[] }

const join = (...cookies: string[]) => ({ cookie: cookies.join('; ') })

t.test('what several cookies of a name end, and which device they name', async (t) => {
  const { url } = await testServer(t)
  const begin = async () => {
    const { username, client } = await signUp(url)
    return { username, client, ...(await logIn(url, username)) }
  }

  const all = async () => {
    const sessions = [await begin(), await begin(), await begin(), await begin()]
    const names = ['session', 'session', 'refresh', 'refresh'] as const
    const cookies = sessions.map((session, n) => carried(session.cookies, names[n] ?? '').cookie)
    return { sessions, headers: join('session=x', 'refresh=x', ...cookies, 'session=y', 'refresh="') }
  }
  const expectEnded = async (t: Test, sessions: { cookies: Cookies }[]) => {
    for (const session of sessions) {
      const headers = carried(session.cookies, 'session')
      t.equal((await makeClient(url).get('v1/session', { headers })).statusCode, 401)
      t.equal(
        (await makeClient(url).post('v1/session/refresh', { headers: carried(session.cookies, 'refresh') })).statusCode,
        401,
      )
    }
  }

  await t.test('a logout ends the session that any of them names, and each account’s activity has it', async (t) => {
    const { sessions, headers } = await all()
    t.equal((await makeClient(url).delete('v1/session', { headers })).statusCode, 204)
    await expectEnded(t, sessions)
    for (const { client } of sessions) {
      t.equal((await client.get<Activity>('v1/account/activity')).body.items[0]?.event, 'logout')
    }
  })

  await t.test('a login and a sign-up end the session that any of them names', async (t) => {
    const { username } = await signUp(url)
    const requests = { 'v1/session': { username, password }, 'v1/accounts': { username: `${username}_2`, password } }
    for (const [path, json] of Object.entries(requests)) {
      const { sessions, headers } = await all()
      t.match((await makeClient(url).post(path, { headers, json })).statusCode, /^20[01]$/)
      await expectEnded(t, sessions)
    }
  })

  await t.test('any known device counts', async (t) => {
    const { username, cookies } = await begin()
    const [known, other] = [cookies.device?.value, (await begin()).cookies.device?.value]
    for (const values of [
      [known, 'x', other],
      [other, `"${known}"`],
      ['x', known, '', other, other],
    ]) {
      const headers = join(...values.map((value) => `device=${value}`))
      const answer = await makeClient(url).post('v1/session', { headers, json: { username, password } })
      t.equal(setCookies(answer.headers).device?.value, known, 'it stays the same device')
    }
  })
})

t.test('cookies that name no session cost a logout one query', async (t) => {
  const { url, db } = await testServer(t)
  const tokens = Array.from({ length: 8 }, () => `refresh=${randomBytes(64).toString('base64url')}`)
  await makeClient(url).delete('v1/session')
  await db.command({ profile: 2 })
  t.equal((await makeClient(url).delete('v1/session', { headers: join(...tokens) })).statusCode, 204)
  await db.command({ profile: 0 })
  const ns = `${db.databaseName}.sessions`
  const statements = await db.collection('system.profile').find({ ns }).toArray()
  t.same(
    statements.map(({ op, command }) => [op, command.startTransaction]),
    [['query', undefined]],
  )
})
