import { randomBytes } from 'node:crypto'
import { type Db, UUID } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { StartError } from '../../src/start-error.ts'
import { freshDatabase, testConfig } from '../helper.ts'

const pepper = (id: string) => `${id}:${randomBytes(32).toString('hex')}`

/** Stores this many passwords with each pepper. */
async function seedPasswords(db: Db, counts: [pepper: string | null, passwords: number][]): Promise<void> {
  const documents = counts.flatMap(([pepper, passwords]) =>
    Array.from({ length: passwords }, () => {
      const password = { scheme: 1, pepper, bcrypt: '$2b$04$' }
      return { _id: new UUID(), version: 1, password, lastLoginAt: new Date() }
    }),
  )
  await db.collection<{ _id: UUID }>('credentials').insertMany(documents)
}

/** Starts and closes a server with these peppers. @returns the message of its StartError, if any */
async function start(
  t: Test,
  connection: Parameters<typeof testConfig>[0],
  ids: string[],
): Promise<string | undefined> {
  const config = await testConfig(connection, { PASSWORD_PEPPER: ids.map(pepper).join() })
  const app = await buildApp(config, connection, pino({ level: 'silent' })).catch((error: unknown) => error)
  if (!(app instanceof Error)) return void (await (app as { close(): Promise<void> }).close()) // the app
  t.type(app, StartError)
  t.notOk(config.secrets.peppers.some(({ secret }) => app.message.includes(secret)))
  return app.message
}

t.test('a server without a pepper in use does not start, and reports how many passwords need it', async (t) => {
  const { db, connection } = await freshDatabase(t)
  t.equal(await start(t, connection, []), undefined, 'an empty database needs none')
  await seedPasswords(db, [
    [null, 3],
    ['a', 12],
    ['b', 1],
  ])
  const refusal = (uses: string) =>
    `PASSWORD_PEPPER lacks peppers that passwords in the database were hashed with: ${uses}. Add each again as id:secret, after the first, until no password uses it.`
  t.equal(await start(t, connection, []), refusal('a (12 passwords), b (1 password)'))
  t.equal(await start(t, connection, ['A', 'c']), refusal('a (12 passwords), b (1 password)'))
  t.equal(await start(t, connection, ['b']), refusal('a (12 passwords)'))
  t.equal(await start(t, connection, ['c', 'a']), refusal('b (1 password)'))
  for (const ids of [
    ['a', 'b'],
    ['b', 'a'],
    ['c', 'a', 'b'],
  ])
    t.equal(await start(t, connection, ids), undefined, ids.join())
  await db.collection('credentials').updateMany({ 'password.pepper': 'a' }, { $set: { 'password.pepper': 'b' } })
  t.equal(await start(t, connection, ['b']), undefined, 'a pepper that no password uses can be removed')
})

t.test('the check reads only the index entries of missing peppers, and no document', async (t) => {
  const { db, connection } = await freshDatabase(t)
  t.equal(await start(t, connection, []), undefined)
  await seedPasswords(db, [
    [null, 2_000],
    ['a', 2_000],
    ['b', 2_000],
    ['c', 20],
  ])
  await db.command({ profile: 2 })
  t.equal(await start(t, connection, ['a', 'b', 'c']), undefined)
  t.match(await start(t, connection, ['a', 'b']), /c \(20 passwords\)/)
  await db.command({ profile: 0 })
  const ns = `${db.databaseName}.credentials`
  const queries = await db.collection('system.profile').find({ ns, 'command.aggregate': 'credentials' }).toArray()
  t.match(queries, [
    { planSummary: 'IXSCAN { password.pepper: 1 }', docsExamined: 0, nreturned: 0 },
    { planSummary: 'IXSCAN { password.pepper: 1 }', docsExamined: 0, nreturned: 1 },
  ])
  const [all, missing] = queries.map(({ keysExamined }) => Number(keysExamined))
  t.ok(all !== undefined && all <= 5, `no pepper missing: ${all} keys`)
  t.ok(missing !== undefined && missing <= 25, `20 passwords with a missing pepper: ${missing} keys`)
})
