import { MongoClient } from 'mongodb'
import t, { type Test } from 'tap'
import { batchRead, turnQuery, turnReads } from '../../src/database/turn-reads.ts'
import { freshDatabase } from '../helper.ts'

type Thing = { _id: string; text: string; secret?: string }

/** A database that records the collections of each command that reads, such as `birds+trees`. */
async function recordedDatabase(t: Test) {
  const { db, connection } = await freshDatabase(t)
  const { uri, ...auth } = connection
  const client = new MongoClient(uri, { auth, authSource: 'admin', monitorCommands: true })
  t.teardown(() => client.close())
  const commands: string[] = []
  client.on('commandStarted', ({ command }) => {
    if (command.find) commands.push(command.find)
    const others = (command.pipeline ?? []).flatMap(
      (stage: { $unionWith?: { coll: string } }) => stage.$unionWith ?? [],
    )
    const names = [command.aggregate, ...others.map(({ coll }: { coll: string }) => coll)]
    if (command.aggregate) commands.push(names.join('+'))
  })
  for (const name of ['birds', 'trees', 'stones']) {
    await db.collection<Thing>(name).insertMany([
      { _id: 'a', text: `${name} a`, secret: 'hidden' },
      { _id: 'b', text: `${name} b` },
    ])
  }
  return { db: client.db(db.databaseName), commands }
}

const reader = (db: Parameters<typeof turnReads>[0], collection: string, options = {}) =>
  batchRead<Thing, Thing>(db, {
    collection,
    filter: (keys) => ({ _id: { $in: [...keys] } }),
    toEntry: (thing) => [thing._id, thing],
    ...options,
  })

t.test('reads of several collections in one turn of the event loop are one command', async (t) => {
  const { db, commands } = await recordedDatabase(t)
  const [birds, trees] = [reader(db, 'birds'), reader(db, 'trees', { projection: { text: 1 } })]
  const found = await Promise.all([birds('a'), trees('a'), birds('b'), trees('missing'), birds('a')])
  t.same(found, [
    { _id: 'a', text: 'birds a', secret: 'hidden' },
    { _id: 'a', text: 'trees a' },
    { _id: 'b', text: 'birds b' },
    undefined,
    { _id: 'a', text: 'birds a', secret: 'hidden' },
  ])
  t.same(commands, ['birds+trees'])

  commands.length = 0
  t.same(await trees('b'), { _id: 'b', text: 'trees b' })
  t.same(commands, ['trees'], 'a read that is alone is a find')
})

t.test('a command has one hint: a second query with one is sent by itself', async (t) => {
  const { db, commands } = await recordedDatabase(t)
  const [birds, trees, stones] = [
    reader(db, 'birds'),
    reader(db, 'trees', { hint: '_id_' }),
    reader(db, 'stones', { hint: '_id_' }),
  ]
  const found = await Promise.all([birds('a'), trees('a'), stones('a')])
  t.same(
    found.map((thing) => thing?.text),
    ['birds a', 'trees a', 'stones a'],
  )
  t.same(commands.toSorted(), ['stones', 'trees+birds'])
})

t.test('a query for a page joins, with its order and its bound', async (t) => {
  const { db, commands } = await recordedDatabase(t)
  const turn = turnReads(db)
  const page = new Promise((resolve, reject) => {
    turn.schedule(() => {
      const query = { collection: 'stones', filter: {}, hint: '_id_', sort: { _id: -1 }, limit: 1, count: 1 } as const
      turn.query({ ...query, maxTimeMS: 4_500 }).then(resolve, reject)
    })
  })
  t.match(await Promise.all([page, reader(db, 'birds')('b')]), [[{ _id: 'b', text: 'stones b' }], { text: 'birds b' }])
  t.same(commands, ['stones+birds'])
})

t.test('a query that fails fails for all reads of its turn, and for none of the next', async (t) => {
  const { db } = await recordedDatabase(t)
  const [birds, broken] = [reader(db, 'birds'), reader(db, 'trees', { filter: () => ({ $nonsense: 1 }) })]
  for (const result of await Promise.allSettled([birds('a'), broken('a')])) t.match(result, { reason: /nonsense/ })
  t.match(await birds('a'), { text: 'birds a' })
})

t.test('more keys than a command takes are several commands', async (t) => {
  const { db, commands } = await recordedDatabase(t)
  const birds = reader(db, 'birds')
  const found = await Promise.all(Array.from({ length: 1_500 }, (_, n) => birds(n === 1_200 ? 'a' : `missing ${n}`)))
  t.equal(found.filter((thing) => thing !== undefined).length, 1)
  t.same(commands, ['birds+birds'])
})

t.test('a turn has any number of queries: MongoDB takes no more than 1,000 in one command', async (t) => {
  const { db, commands } = await recordedDatabase(t)
  const ids = Array.from({ length: 1_100 }, (_, n) => (n % 2 === 0 ? 'a' : 'b'))
  const read = (id: string) => turnQuery(db, { collection: 'birds', filter: { _id: id }, count: 1 })
  const found = await Promise.all(ids.map(read))
  t.same(
    found.map(([bird]) => bird?._id),
    ids,
  )
  t.equal(commands.length, 11)
})
