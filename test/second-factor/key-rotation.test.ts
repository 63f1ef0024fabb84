import { randomBytes } from 'node:crypto'
import type { Binary, Db } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import type { Connection } from '../../src/database/connection.ts'
import { liveSecrets } from '../../src/secrets/live.ts'
import { parseTotpKeys } from '../../src/secrets/totp-keys.ts'
import { StartError } from '../../src/start-error.ts'
import { freshDatabase, makeClient, signUp, testConfig, testServer } from '../helper.ts'
import { countAttempts } from '../limits/login-attempts.ts'
import { serverOn, sharedKey } from '../sessions/servers.ts'
import { beginEnrolment, codeOf, confirm, enrol, firstStep, forgetSteps, secondStep } from './authenticator.ts'

const keyOf = (id: string) => `${id}:${randomBytes(32).toString('hex')}`
const [a, b] = [keyOf('a'), keyOf('b')]

type Stored = { totp: { secret: { key: string; nonce: Binary; text: Binary } } }
const storedIn = (db: Db) => db.collection<Stored>('secondFactors').findOne({})

t.test('keys rotate in rounds, while servers with the last round’s keys run', async (t) => {
  const { url, db, connection } = await testServer(t, { ...sharedKey, TOTP_KEYS: a })
  const { client, username } = await signUp(url)
  const { secret, recoveryCodes } = await enrol(client)
  const first = await storedIn(db)
  t.equal(first?.totp.secret.key, 'a')

  async function logIn(url: string, factor: object) {
    const login = makeClient(url)
    t.equal((await firstStep(login, username)).statusCode, 401)
    return secondStep(login, factor)
  }
  const useCode = async (url: string) => {
    await forgetSteps(db)
    return (await logIn(url, { code: codeOf(secret) })).statusCode
  }

  const both = await serverOn(t, connection, { TOTP_KEYS: `${a},${b}` })
  t.equal(await useCode(both), 200)
  t.same((await storedIn(db))?.totp.secret, first?.totp.secret, 'the first key has encrypted it already')

  const next = await serverOn(t, connection, { TOTP_KEYS: `${b},${a}` })
  t.equal((await logIn(next, { recoveryCode: recoveryCodes[0] })).statusCode, 200)
  t.equal((await storedIn(db))?.totp.secret.key, 'a', 'a recovery code does not need it')
  t.equal(await useCode(next), 200)
  const second = await storedIn(db)
  t.equal(second?.totp.secret.key, 'b', 'a use encrypts it with the first key')
  t.notSame(second?.totp.secret.nonce, first?.totp.secret.nonce)
  t.equal(await useCode(both), 200, 'a server of the round before decrypts it')
  t.equal((await storedIn(db))?.totp.secret.key, 'a')
  t.equal(await useCode(next), 200)

  t.match(await logIn(url, { code: codeOf(secret, 1) }), { statusCode: 503, body: { code: 'overloaded' } })
  t.equal(await db.collection('activity').countDocuments({ event: 'second-factor-failed' }), 0, 'it is no wrong code')
  t.equal(await countAttempts(db, 'failed-codes-by-account'), 0)
  t.equal((await logIn(url, { recoveryCode: recoveryCodes[1] })).statusCode, 200)

  const last = await serverOn(t, connection, { TOTP_KEYS: b })
  t.equal(await useCode(last), 200)
})

/** Starts and closes a server. @returns the message of its StartError, if any */
async function start(t: Test, connection: Connection, TOTP_KEYS: string): Promise<string | undefined> {
  const config = await testConfig(connection, { TOTP_KEYS })
  const app = await buildApp(config, connection, pino({ level: 'silent' })).catch((error: unknown) => error)
  if (!(app instanceof Error)) return void (await (app as { close(): Promise<void> }).close()) // the app
  t.type(app, StartError)
  for (const { secret } of config.secrets.totpKeys) t.notOk(app.message.includes(secret))
  return app.message
}

t.test('a start without a key in use is refused, and reports how many secrets need it', async (t) => {
  const { db, connection } = await freshDatabase(t)
  t.equal(await start(t, connection, ''), undefined, 'an empty database needs none')
  const url = await serverOn(t, connection, { TOTP_KEYS: a })
  for (const _ of [1, 2]) await enrol((await signUp(url)).client)
  const { client } = await signUp(url)
  await confirm(client)
  await beginEnrolment(client)
  const refusal = (uses: string) =>
    `TOTP_KEYS lacks keys that secrets of authenticator apps in the database were encrypted with: ${uses}. Add each again as id:secret, after the first, until no secret uses it.`
  t.equal(await start(t, connection, ''), refusal('a (2 secrets)'))
  t.equal(await start(t, connection, b), refusal('a (2 secrets)'))
  await db.collection('secondFactors').updateOne({ totp: { $exists: true } }, { $set: { 'totp.secret.key': 'c' } })
  t.equal(await start(t, connection, b), refusal('a (1 secret), c (1 secret)'))
  t.equal(await start(t, connection, `${b},${a}`), refusal('c (1 secret)'))
  t.equal(await start(t, connection, `${b},${a},${keyOf('c')}`), undefined)
  await db.collection('secondFactors').deleteMany({ totp: { $exists: true } })
  t.equal(await start(t, connection, b), undefined, 'an enrolment that is pending holds up no start')
})

t.test('keys change while the server runs, unless one in use would be missing', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(line) })
  const config = await testConfig(connection, { TOTP_KEYS: a })
  const secrets = liveSecrets(config.secrets, log)
  const app = await buildApp(config, connection, log, { secrets })
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const { client, username } = await signUp(url)
  const { secret } = await enrol(client)
  const change = async (keys: string) => {
    await secrets.update({ totpKeys: parseTotpKeys(keys, []) })
    return secrets.current.totpKeys.map(({ id }) => id)
  }
  t.same(await change(b), ['a'])
  t.match(lines.at(-1), /TOTP_KEYS lacks keys .* a \(1 secret\)/)
  t.same(await change(`${b},${a}`), ['b', 'a'])
  const login = makeClient(url)
  await firstStep(login, username)
  t.equal((await secondStep(login, { code: codeOf(secret, 1) })).statusCode, 200)
  t.equal((await storedIn(db))?.totp.secret.key, 'b')
  t.same(await change(b), ['b'])
})
