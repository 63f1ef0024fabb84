import t from 'tap'
import { makeClient, password, testServer } from '../helper.ts'
import { atQuarterHour } from '../limits/quarter-hour.ts'
import { carried, setCookies } from '../sessions/set-cookies.ts'
import type { Authenticator, Request } from './authenticator.ts'
import { logInBy, passkeyEnv, passkeyUser } from './ceremonies.ts'

t.test('failures of others do not hold a login with a passkey up', async (t) => {
  const { url } = await testServer(t, {
    ...passkeyEnv,
    LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: '2',
    LIMIT_FAILED_LOGINS_IN_A_ROW: '2',
    LIMIT_LOGINS_PER_ADDRESS: '3',
  })
  const { authenticator, username } = await passkeyUser(url)
  const wrong = { username, password: 'not at all the password' }
  for (const status of [401, 401, 429])
    t.equal((await makeClient(url).post('v1/session', { json: wrong })).statusCode, status)
  for (const status of [401, 401, 401, 429, 429])
    t.equal((await logInBy(makeClient(url), authenticator, { userVerified: false })).statusCode, status)
  t.equal((await logInBy(makeClient(url), authenticator)).statusCode, 200, 'the right one passes all the same')
  t.equal((await makeClient(url).post('v1/session', { json: { username, password } })).statusCode, 200, 'the row ended')
})

t.test('copies of a passkey count as failures of their address: beyond its limit they cost no write', async (t) => {
  const { db, url } = await testServer(t, { ...passkeyEnv, LIMIT_LOGINS_PER_ADDRESS: '3' })
  const { authenticator } = await passkeyUser(url)
  const logInByCopy = async () => (await logInBy(makeClient(url), authenticator, { counter: 1 })).statusCode
  for (const status of [401, 401, 401]) t.equal(await logInByCopy(), status)
  const countUsed = () => db.collection('usedChallenges').countDocuments()
  const used = await countUsed()
  t.equal(await logInByCopy(), 429)
  t.equal(await countUsed(), used)
  t.equal((await logInBy(makeClient(url), authenticator)).statusCode, 200, 'the passkey itself passes all the same')
})

t.test('logins with a passkey are limited for the account, by themselves', async (t) => {
  const { db, url } = await testServer(t, { ...passkeyEnv, LIMIT_LOGINS_PER_ACCOUNT: '2' })
  const { authenticator, username } = await passkeyUser(url)
  const other = await passkeyUser(url)
  atQuarterHour(t)
  /** Without a cookie jar, which follows the real clock. */
  const logIn = async (authenticator: Authenticator) => {
    const options = await makeClient(url).post<Request>('v1/session/passkey/options', { json: {} })
    const headers = carried(setCookies(options.headers), 'passkey')
    const json = { response: authenticator.get(options.body) }
    return (await makeClient(url).post('v1/session/passkey', { headers, json })).statusCode
  }
  for (const status of [200, 200, 429])
    t.equal((await makeClient(url).post('v1/session', { json: { username, password } })).statusCode, status)
  const countUsed = () => db.collection('usedChallenges').countDocuments()
  for (const status of [200, 200]) t.equal(await logIn(authenticator), status)
  const used = await countUsed()
  t.equal(await logIn(authenticator), 429)
  t.equal(await countUsed(), used, 'one more is not looked at')
  t.equal(await logIn(other.authenticator), 200)
})
