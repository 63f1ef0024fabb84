import { createHmac, randomBytes } from 'node:crypto'
import { verify as bcryptVerify } from '@node-rs/bcrypt'
import { BSON, type Db, type UUID } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { passwordService } from '../../src/credentials/password-service.ts'
import { dataCollections } from '../data-collections.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, makeClient, password, signUp, testConfig } from '../helper.ts'

type Credential = { _id: UUID; version: number; password: { pepper: string | null; bcrypt: string } }

const pepper = (id: string) => `${id}:${randomBytes(32).toString('hex')}`
const [a, b] = [pepper('a'), pepper('b')]
const secretOf = (pepper: string) => pepper.slice(2)
const JWT_SIGN_KEY = randomBytes(32).toString('hex')

/** Starts another server on the database, with these peppers. */
async function serverWith(t: Test, connection: Parameters<typeof testConfig>[0], peppers: string[]) {
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(line) })
  const config = await testConfig(connection, { JWT_SIGN_KEY, PASSWORD_PEPPER: peppers.join() })
  const app = await buildApp(config, connection, log)
  t.teardown(() => app.close())
  return { url: await app.listen({ host: '127.0.0.1', port: 0 }), lines }
}

const logIn = (url: string, username: string, presented = password) =>
  makeClient(url).post('v1/session', { json: { username, password: presented } })

async function stored(db: Db): Promise<Credential> {
  const [only, ...others] = await db.collection<Credential>('credentials').find().toArray()
  if (!only || others.length > 0) throw new Error('expected one account')
  return only
}

t.test('the first pepper hashes, all verify, and a login rehashes its password with the first', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const none = await serverWith(t, connection, [])
  const { username } = await signUp(none.url)
  const first = await stored(db)
  t.equal(first.password.pepper, null)

  const onlyA = await serverWith(t, connection, [a])
  t.equal((await logIn(onlyA.url, username, 'a wrong password')).statusCode, 401)
  t.same((await stored(db)).password, first.password, 'a wrong password changes nothing')
  t.equal((await logIn(onlyA.url, username)).statusCode, 200)
  const second = await stored(db)
  t.match(second, { version: first.version, password: { pepper: 'a', bcrypt: /^\$2b\$04\$/ } }, 'none → a')
  t.equal((await logIn(onlyA.url, username)).statusCode, 200)
  t.same((await stored(db)).password, second.password, 'once')

  const behind = await serverWith(t, connection, [a, b])
  t.equal((await logIn(behind.url, username)).statusCode, 200)
  t.same((await stored(db)).password, second.password, 'a second pepper changes nothing')

  const before = await serverWith(t, connection, [b, a])
  t.equal((await logIn(before.url, username, 'a wrong password')).statusCode, 401)
  t.equal((await logIn(before.url, username)).statusCode, 200)
  const third = await stored(db)
  t.match(third, { version: first.version, password: { pepper: 'b', bcrypt: /^\$2b\$04\$/ } }, 'a → b')
  t.equal((await logIn(behind.url, username)).statusCode, 200, 'a server with b as its second pepper verifies it')
  t.equal((await stored(db)).password.pepper, 'a', 'and rehashes with its own first')
  t.equal((await logIn(before.url, username)).statusCode, 200)

  const onlyB = await serverWith(t, connection, [b])
  t.equal((await logIn(onlyB.url, username)).statusCode, 200, 'a is no longer needed')
  t.equal((await logIn(onlyB.url, username, 'a wrong password')).statusCode, 401)
  t.equal((await logIn(onlyB.url, 'unknown_name')).statusCode, 401)
})

t.test('only the right password of the right account causes a rehash', async (t) => {
  const ticket = { signal: new AbortController().signal, key: '192.0.2.1' }
  const options = { cost: 4, processes: 1 }
  const [before, after] = [
    passwordService({ ...options, peppers: [] }),
    passwordService({ ...options, peppers: [{ id: 'a', secret: secretOf(a) }] }),
  ]
  const credential = { version: 1, password: await before.hash(password, 'ann', ticket) }
  t.same(await after.verify('a wrong password', 'ann', credential, ticket), { matches: false, rehashed: undefined })
  t.same(await after.verify(password, 'bob', credential, ticket), { matches: false, rehashed: undefined })
  t.match(await after.verify(password, 'ann', credential, ticket), { matches: true, rehashed: { pepper: 'a' } })
})

t.test('a new password is hashed with the first of several peppers', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const { url } = await serverWith(t, connection, [b, a])
  const { username } = await signUp(url)
  t.equal((await stored(db)).password.pepper, 'b')
  t.equal((await logIn(url, username)).statusCode, 200)
})

t.test('a different secret under the same id verifies no password', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const { username } = await signUp((await serverWith(t, connection, [a])).url)
  const before = await stored(db)
  const other = await serverWith(t, connection, [pepper('a')])
  t.equal((await logIn(other.url, username)).statusCode, 401)
  t.same(await stored(db), before)
})

t.test('guessing against a database dump needs the pepper, which is neither in the dump nor in the log', async (t) => {
  const { db, connection } = await freshDatabase(t)
  /** What an attacker with the dump and the source code can compute. */
  const isMatch = async (key: string) => {
    const { _id, password: hashed } = await stored(db)
    const digest = createHmac('sha256', key).update(`1\0${_id}\0${password}`).digest('base64')
    return bcryptVerify(digest, hashed.bcrypt)
  }
  const keyInSource = 'rookery password v1'
  const { username } = await signUp((await serverWith(t, connection, [])).url)
  t.equal(await isMatch(keyInSource), true, 'without a pepper the source code is enough')
  const { url, lines } = await serverWith(t, connection, [a, b])
  t.equal((await logIn(url, username)).statusCode, 200)
  t.equal(await isMatch(keyInSource), false)
  t.equal(await isMatch(secretOf(a)), true)
  for (const key of ['', 'a', a, secretOf(b)]) t.equal(await isMatch(key), false)

  const dump = await Promise.all((await dataCollections(db)).map((collection) => collection.find().toArray()))
  const text = BSON.EJSON.stringify(dump.flat(), { relaxed: false }) + lines.join('')
  for (const secret of [a, b].map(secretOf))
    for (const form of [
      secret,
      ...(['hex', 'base64', 'base64url'] as const).map((f) => Buffer.from(secret).toString(f)),
    ])
      t.notOk(text.includes(form.replace(/=+$/, '')), 'not in the dump or the log')
})

t.test(
  'a hash with a pepper that this process lacks: 503 and a log line, and no failed login is counted',
  async (t) => {
    const { db, connection } = await freshDatabase(t)
    const older = await serverWith(t, connection, [a])
    const newer = await serverWith(t, connection, [b, a])
    const { client, username } = await signUp(newer.url)
    const before = await stored(db)
    // More than the limit of failed logins.
    for (let tries = 0; tries < 12; tries++) {
      const { statusCode, headers, body } = await logIn(older.url, username, tries % 2 ? password : 'a wrong password')
      t.equal(statusCode, 503)
      t.match(headers['retry-after'], /^\d+$/)
      t.match(body, { code: 'overloaded', detail: 'This password cannot be checked at the moment: try again shortly.' })
      t.notMatch(JSON.stringify(body), /pepper/i, 'the response does not mention peppers')
    }
    const refused = () =>
      older.lines
        .filter((line) => line.includes('PASSWORD_PEPPER lacks b, which a password'))
        .reduce((sum, line) => sum + JSON.parse(line).refused, 0)
    await eventually(() => refused() === 12)
    t.notOk(older.lines.some((line) => line.includes(secretOf(b)) || line.includes(secretOf(a))))
    t.same(await stored(db), before)
    t.equal((await logIn(newer.url, username)).statusCode, 200, 'none of the attempts counted')

    const cookie = await client.jar.getCookieString(newer.url)
    const confirm = (url: string, presented: string) =>
      makeClient(url).post('v1/session/confirm', { json: { password: presented }, headers: { cookie } })
    for (let tries = 0; tries < 12; tries++) t.equal((await confirm(older.url, 'a wrong password')).statusCode, 503)
    t.equal((await confirm(newer.url, password)).statusCode, 200, 'none of the confirmations counted')

    t.equal((await logIn(older.url, 'unknown_name')).statusCode, 401)
    const peer = await signUp(older.url)
    t.equal((await logIn(older.url, peer.username)).statusCode, 200, 'other accounts are not affected')
  },
)
