import { MongoClient } from 'mongodb'
import t, { type Test } from 'tap'
import { resetPassword } from '../../src/accounts/reset-password.ts'
import { clientOptions } from '../../src/database/connection.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { confirmBy, logInBy, passkeyEnv, passkeyUser } from '../passkeys/ceremonies.ts'
import { beginEnrolment, codeOf } from '../second-factor/authenticator.ts'
import { twoServers } from '../sessions/servers.ts'

type Session = { session: { id: string; createdAt: string; expiresAt: string } }
type Posts = { items: { viewer: object | null }[] }
type Operation = { security?: object[] }
type Document = { paths: Record<string, Record<string, Operation>> }
type Server = Pick<Awaited<ReturnType<typeof testServer>>, 'connection' | 'db' | 'url'>

const newPassword = 'seven grey owls knit at 5 again'
const dayMs = 86_400_000

/** As the operator's command does. */
async function reset(t: Test, { connection, db }: Server, username: string): Promise<string> {
  const client = new MongoClient(connection.uri, clientOptions(connection))
  t.teardown(() => client.close())
  const result = await resetPassword(client, db.databaseName, username, { cost: 4, peppers: [] })
  if (result.outcome !== 'reset') throw new Error(result.outcome)
  return result.password
}

const logIn = (url: string, username: string, given: string, client = makeClient(url)) =>
  client.post<Session>('v1/session', { json: { username, password: given } })

t.test('a session that a one-time password began', async (t) => {
  const server = await twoServers(t)
  const { url, urls } = server
  const { username } = await signUp(url)
  const oneTime = await reset(t, server, username)
  const client = makeClient(url)
  const login = await logIn(url, username, oneTime, client)
  t.equal(login.statusCode, 200)
  const cookie = await client.jar.getCookieString(url)
  const headers = { cookie }

  t.test('may do nothing that needs a session but read itself and change the password', async (t) => {
    const { paths } = (await makeClient(url).get<Document>('openapi.json')).body
    const allowed = ['GET /v1/session', 'PUT /v1/account/password']
    const refused = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(
          ([method, { security }]) => security?.length === 1 && !allowed.includes(`${method.toUpperCase()} ${path}`),
        )
        .map(([method]) => ({
          method,
          path: path.slice(1).replace(/\{\w+\}/, '01890000-0000-7000-8000-000000000000'),
        })),
    )
    t.ok(refused.length > 15)
    // The second one learns from the database what the session may do.
    for (const server of urls) {
      for (const { method, path } of refused) {
        const { statusCode, body } = await makeClient(server)(path, { method, headers })
        t.match({ statusCode, body }, { statusCode: 403, body: { code: 'password-change-required' } }, path)
      }
      t.equal((await makeClient(server).get('v1/session', { headers })).statusCode, 200)
    }
  })

  t.test('counts as none on public reads, and its cookie as valid', async (t) => {
    const { client: author } = await signUp(url)
    await author.post('v1/posts', { json: { text: 'Read me' } })
    for (const server of urls) {
      const read = await makeClient(server).get<Posts>('v1/posts', { headers })
      t.equal(read.statusCode, 200)
      t.equal(read.headers['rookery-session'], undefined)
      t.same(
        read.body.items.map(({ viewer }) => viewer),
        [null],
      )
    }
  })

  t.test('lives for 24 hours, which no refresh extends, and no refresh lifts it', async (t) => {
    const refreshed = await client.post<Session>('v1/session/refresh')
    t.equal(refreshed.statusCode, 200)
    for (const { session } of [login.body, refreshed.body]) {
      t.equal(Date.parse(session.expiresAt) - Date.parse(session.createdAt), dayMs)
    }
    t.equal((await client.get('v1/account')).statusCode, 403)
  })

  t.test('may log out', async (t) => {
    const { username } = await signUp(url)
    const client = makeClient(url)
    t.equal((await logIn(url, username, await reset(t, server, username), client)).statusCode, 200)
    t.equal((await client.delete('v1/session')).statusCode, 204)
    t.equal((await client.get('v1/session')).statusCode, 401)
  })

  t.test('ends with a password of one’s own, and a session without limits begins', async (t) => {
    const json = { currentPassword: oneTime, newPassword }
    t.equal((await client.put('v1/account/password', { json })).statusCode, 204)
    const { session } = (await client.get<Session>('v1/session')).body
    t.not(session.id, login.body.session.id)
    t.equal(Date.parse(session.expiresAt) - Date.parse(session.createdAt), 30 * dayMs)
    t.equal((await client.get('v1/account')).statusCode, 200)
    t.equal((await client.post('v1/posts', { json: { text: 'Back' } })).statusCode, 201)
    t.equal((await makeClient(urls[1]).get('v1/session', { headers })).statusCode, 401, 'the old one has ended')
  })
})

t.test('no limit on failed logins bars a live one-time password, and it releases none', async (t) => {
  const server = await testServer(t, {
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '3',
    LIMIT_FAILED_LOGINS_PER_ADDRESS: '4',
    LIMIT_FAILED_LOGINS_PER_ACCOUNT: '4',
  })
  const { url } = server
  const { username } = await signUp(url)
  const status = async (given: string, name = username) => (await logIn(url, name, given)).statusCode
  const oneTime = await reset(t, server, username)
  const wrong = `${oneTime.slice(0, -1)}${oneTime.endsWith('0') ? '1' : '0'}`
  for (let n = 0; n < 3; n += 1) t.equal(await status(wrong), 401, 'a wrong one counts as any wrong password')
  t.equal(await status(wrong), 429, 'for the account and address')
  t.equal(await status('wrong', 'no_account'), 401)
  t.equal(await status('wrong', 'no_account'), 429, 'for the address')
  const { username: other } = await signUp(url)
  t.equal(await status(oneTime, other), 429, 'not for another account')
  t.equal(await status(oneTime), 200)
  t.equal(await status('wrong', 'no_account'), 429)
  const again = await status(oneTime)
  t.ok([401, 429].includes(again), 'a second login is refused like any wrong password')
})

t.test('no limit on successful logins at its address bars a one-time password', async (t) => {
  const server = await testServer(t, { LIMIT_LOGINS_PER_ADDRESS: '1' })
  const [owner, neighbour] = [await signUp(server.url), await signUp(server.url)]
  const oneTime = await reset(t, server, owner.username)
  t.equal((await logIn(server.url, neighbour.username, password)).statusCode, 200)
  t.equal((await logIn(server.url, neighbour.username, password)).statusCode, 429)
  t.equal((await logIn(server.url, owner.username, oneTime)).statusCode, 200)
})

t.test('an enrolment ends the session of a one-time password, which has needed no code of the app', async (t) => {
  const server = await testServer(t, passkeyEnv)
  const { url } = server
  const { username, authenticator } = await passkeyUser(url)
  const oneTime = await reset(t, server, username)
  const thief = makeClient(url)
  t.equal((await logIn(url, username, oneTime, thief)).statusCode, 200)
  const owner = makeClient(url)
  await logInBy(owner, authenticator)
  await confirmBy(owner, authenticator)
  const { secret } = await beginEnrolment(owner)
  const enrolled = await owner.post('v1/second-factor/totp/confirm', { json: { code: codeOf(secret) } })
  t.equal(enrolled.statusCode, 200)
  const json = { currentPassword: oneTime, newPassword }
  t.equal((await thief.put('v1/account/password', { json })).statusCode, 401)
  t.equal((await owner.get('v1/session')).statusCode, 200)
})
