import { MongoClient, UUID } from 'mongodb'
import t, { type Test } from 'tap'
import { readNewest } from '../../src/activity/fold.ts'
import { type RecordFailureCommand, recordFailure } from '../../src/activity/record-failure.ts'
import { activityStore } from '../../src/activity/store.ts'
import { clientOptions } from '../../src/database/connection.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { noNotices } from '../../src/mail/notices.ts'
import { unfenced } from '../../src/writer/batch-context.ts'
import { indexedDatabase, seedAccount } from '../reconcile/seed.ts'

async function target(t: Test) {
  const { client, db } = await indexedDatabase(t)
  const transact = transactor(client)
  const account = (await seedAccount(db)).toString()
  const apply = (commands: RecordFailureCommand[]) =>
    transact((session) => recordFailure.apply(unfenced(db, session), commands))
  const counts = async (id = account) => {
    const found = await activityStore(db, noNotices).list(id, { after: undefined, limit: 1_000 })
    return found.map(({ ip, count }) => [ip, count] as const)
  }
  return { account, apply, counts, db }
}

const sum = (counts: readonly (readonly [string, number | undefined])[]) =>
  counts.reduce((total, [, count]) => total + (count ?? 0), 0)

const failure = (account: string, ip = '192.0.2.1'): RecordFailureCommand => ({
  id: newId(),
  account,
  ip,
  userAgent: 'owl/1.0',
})

t.test('failures in a row become one item for each account and address', async (t) => {
  const { account, apply, counts, db } = await target(t)
  const other = (await seedAccount(db)).toString()
  const batch = [
    ...Array.from({ length: 30 }, () => failure(account)),
    ...Array.from({ length: 4 }, () => failure(account, '192.0.2.2')),
    failure(other),
  ]
  t.same(
    await apply(batch),
    batch.map(() => ({ outcome: 'recorded' })),
  )
  await apply([failure(account), failure(account)])
  t.same(await counts(), [
    ['192.0.2.1', 2],
    ['192.0.2.2', 4],
    ['192.0.2.1', 30],
  ])
  t.same(await counts(other), [['192.0.2.1', 1]])
})

t.test('a retry counts a failure once, whether or not its first submission was applied', async (t) => {
  const { account, apply, counts } = await target(t)
  const [first, second, third] = [failure(account), failure(account), failure(account)]
  const retried = (command: RecordFailureCommand) => ({ ...command, retry: true })
  await apply([first])
  t.same(await apply([retried(first)]), [{ outcome: 'recorded' }])
  t.same(await counts(), [['192.0.2.1', 1]], 'the one that created the item')
  await apply([second])
  await apply([failure(account), retried(second), retried(third), retried(first)])
  t.same(await counts(), [['192.0.2.1', 4]], 'one that was counted, and one that was not')
})

t.test('concurrent transactions count each failure of an address once', async (t) => {
  const { account, apply, counts } = await target(t)
  await Promise.all(Array.from({ length: 8 }, () => apply([failure(account), failure(account)])))
  t.equal(sum(await counts()), 16)
  const items = (await counts()).length
  await apply([failure(account)])
  t.equal((await counts()).length, items, 'and those that follow share the newest item')
  t.equal(sum(await counts()), 17)
})

t.test('the failures of an IPv6 /64 share an item, which shows the last address', async (t) => {
  const { account, apply, counts } = await target(t)
  await apply([failure(account, '2001:db8::1'), failure(account, '2001:db8::2')])
  await apply([failure(account, '2001:db8::3')])
  t.same(await counts(), [['2001:db8::3', 3]])
  await apply([failure(account, '2001:db8:0:1::3')])
  t.same(await counts(), [
    ['2001:db8:0:1::3', 1],
    ['2001:db8::3', 3],
  ])
})

t.test('failed confirmations are items of their own, and a retry of one is counted once', async (t) => {
  const { account, apply, counts, db } = await target(t)
  const confirm = { ...failure(account), event: 'confirm-failed' as const }
  await apply([failure(account), confirm])
  await apply([{ ...confirm, retry: true }])
  t.same(await counts(), [
    ['192.0.2.1', 1],
    ['192.0.2.1', 1],
  ])
  t.equal(await db.collection('activity').countDocuments({ event: 'confirm-failed', count: 1 }), 1)
})

t.test('the newest items of accounts with many are read from the index, one each', async (t) => {
  const { client, db } = await indexedDatabase(t)
  const accounts = [new UUID(), new UUID()]
  const items = accounts.flatMap((account) =>
    Array.from({ length: 500 }, () => ({ _id: toUuid(newId()), account, event: 'login', ip: '', at: new Date() })),
  )
  await db.collection<{ _id: UUID }>('activity').insertMany(items)
  await db.command({ profile: 2 })
  const found = await transactor(client)((session) => readNewest(db, accounts, session))
  t.same([...found.values()].map(({ _id }) => _id).sort(), [items[499]?._id, items[999]?._id].sort())
  const profile = await db.collection('system.profile').findOne({ ns: `${db.databaseName}.activity` })
  t.ok(profile?.docsExamined <= 4, `${profile?.docsExamined} documents`)
})

t.test('a failure for an id of no account is not recorded', async (t) => {
  const { account, apply, counts, db } = await target(t)
  const unknown = new UUID().toString()
  t.same(await apply([failure(unknown), failure(account)]), [{ outcome: 'account-not-found' }, { outcome: 'recorded' }])
  t.same(await counts(unknown), [])
  t.equal(await db.collection('activity').countDocuments(), 1)
})

t.test('failures from 230 addresses leave 200 items, the newest', async (t) => {
  const { account, apply, counts } = await target(t)
  await apply(Array.from({ length: 200 }, (_, n) => failure(account, `192.0.2.${n}`)))
  await apply(Array.from({ length: 30 }, (_, n) => failure(account, `198.51.100.${n}`)))
  const found = await counts()
  t.equal(found.length, 200)
  t.same(found.slice(0, 2), [
    ['198.51.100.29', 1],
    ['198.51.100.28', 1],
  ])
  t.same(found.at(-1), ['192.0.2.30', 1])
})

t.test('the failures of 20 accounts, known and unknown, take as many commands as those of two', async (t) => {
  const { db, connection } = await indexedDatabase(t)
  const client = await new MongoClient(connection.uri, {
    ...clientOptions(connection),
    monitorCommands: true,
  }).connect()
  t.teardown(() => client.close())
  const accounts = await Promise.all(Array.from({ length: 10 }, () => seedAccount(db)))
  const batch = accounts.flatMap((account) => [failure(account.toString()), failure(newId())])
  let commands: string[] = []
  client.on('commandStarted', ({ commandName }) => void commands.push(commandName))
  const commandsOf = async (failures: RecordFailureCommand[]) => {
    commands = []
    const own = client.db(db.databaseName)
    await transactor(client)((session) => recordFailure.apply(unfenced(own, session), failures))
    return commands
  }
  const few = [failure((await seedAccount(db)).toString()), failure(newId())]
  t.same(await commandsOf(batch), await commandsOf(few))
})
