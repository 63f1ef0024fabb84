import type { Document, UUID } from 'mongodb'
import t from 'tap'
import { collections } from '../../src/collections.ts'
import { ownerships } from '../../src/reconcile/ownership.ts'
import {
  cleanLines,
  countsOf,
  followsOf,
  indexedDatabase,
  newUuid,
  postsOf,
  reactionsOf,
  runReconcile,
  seedAccount,
  seedPost,
  seedReactions,
} from './seed.ts'

t.test('documents that outlived their account are reported, and deleted with their effect on counts', async (t) => {
  const target = await indexedDatabase(t)
  const { db } = target
  const host = await seedAccount(db, { posts: 1, followers: 1, following: 1 })
  const [gone, waiting] = [newUuid(), newUuid()]
  const post = await seedPost(db, host, { likes: 2, replies: 2 })
  for (const account of [gone, waiting]) {
    await seedPost(db, account, {}, post)
    const ids = { post, account }
    await reactionsOf(db).insertOne({ _id: ids, ...ids, value: 'like', order: newUuid() })
  }
  await db.collection('reactionDays').insertOne({ _id: { day: day(), writer: 1 }, likes: 2, dislikes: 0 } as object)
  for (const [from, to] of [
    [gone, host],
    [host, gone],
  ] as const) {
    await followsOf(db).insertOne({ _id: { from, to }, from, to, order: newUuid() })
  }
  await db.collection<{ _id: UUID; at: Date }>('removedAccounts').insertOne({ _id: waiting, at: new Date() })

  const findings = ['reactions', 'posts', 'follows', 'follows'].map((owned) => {
    return `account ${gone}: does not exist, owns 1 ${owned}`
  })
  const { lines } = await runReconcile(target)
  t.same(lines, [
    'posts      3 checked, drift 0',
    'accounts   1 checked, drift 0',
    'reactions  2 checked, drift 0',
    'reactors   2 checked, drift 1',
    'authors    3 checked, drift 1',
    'followers  2 checked, drift 1',
    'following  2 checked, drift 1',
    ...cleanLines({ days: 1 }).slice(4),
    ...findings.map((line) => `  ${line}`),
    'drift 4',
  ])
  t.match((await runReconcile(target, { fix: true })).lines.at(-1), /^drift 0 \(\d fixed\)$/)
  t.match((await runReconcile(target)).lines, [
    'posts      1 checked',
    'accounts   1 checked',
    'reactions  0',
    'reactors   0',
  ])
  t.match(await postsOf(db).findOne({ _id: post }), { counts: { likes: 0, replies: 0 } })
  t.match(await countsOf(db).findOne({ _id: host }), { posts: 1, followers: 0, following: 0 })
  t.equal(await db.collection('removedAccounts').countDocuments({ sweptAt: { $exists: false } }), 0)
  t.match((await runReconcile(target)).lines.at(-1), /^drift 0$/)
})

t.test('deleting the reactions of a missing post corrects their daily counts', async (t) => {
  const target = await indexedDatabase(t)
  await seedReactions(target.db, newUuid(), 'like', 700)
  await seedReactions(target.db, newUuid(), 'dislike', 3)
  const { lines } = await runReconcile(target, { fix: true })
  t.same(
    lines.filter((line) => line.startsWith('days')),
    ['days       1 checked, drift 0'],
  )
  t.equal(lines.at(-1), 'drift 0 (703 fixed)')
  t.equal(await reactionsOf(target.db).countDocuments(), 0)
})

t.test('an indexed post or account field has an ownership check, and so does what an account identifies', async (t) => {
  const owners = { account: 'account', author: 'account', from: 'account', post: 'post', to: 'account' }
  const indexed = Object.entries(collections).flatMap(([collection, indexes]) =>
    indexes.map(({ key }) => [collection, Object.keys(key)[0]]),
  )
  const owned = indexed.flatMap(([collection, field]) =>
    Object.entries(owners).flatMap(([name, owner]) => (name === field ? [`${collection} ${field} ${owner}`] : [])),
  )
  const checked = ownerships.map(({ owned, ownerField, owner }) => `${owned} ${ownerField} ${owner}`)
  const byId = ['emails _id account', 'idempotency _id.account account', 'secondFactors _id account']
  t.same(checked.toSorted(), [...new Set([...owned, ...byId])].sort())
})

t.test('personal data of an account that does not exist is reported, and deleted', async (t) => {
  const target = await indexedDatabase(t)
  const { db } = target
  const [existing, gone, waiting] = [await seedAccount(db), newUuid(), newUuid()]
  await db.collection<{ _id: UUID; at: Date }>('removedAccounts').insertOne({ _id: waiting, at: new Date() })
  for (const account of [existing, gone, waiting]) {
    const key = { account, key: 'k' }
    const insert = (name: string, document: Document & { _id: object }) =>
      db.collection<Document & { _id: object }>(name).insertOne(document)
    await insert('sessions', { _id: newUuid(), account, family: newUuid(), endsAt: inAnHour() })
    await insert('devices', { _id: { account, device: 'd' }, account, lastUsedAt: new Date() })
    await insert('passkeys', { _id: newUuid(), account, credential: newUuid() })
    await insert('secondFactors', { _id: account, recoveryCodes: [] })
    await insert('emails', { _id: account, username: 'ann', address: 'ann@mail.example' })
    await insert('activity', { _id: newUuid(), account, event: 'login', at: new Date() })
    await insert('idempotency', { _id: key, at: new Date() })
    await insert('idempotency', { _id: { ...key, key: 'l' }, at: new Date() })
  }
  const { lines } = await runReconcile(target)
  t.same(lines.slice(7), [
    'sessions   3 checked, drift 1',
    'devices    3 checked, drift 1',
    'passkeys   3 checked, drift 1',
    'factors    3 checked, drift 1',
    'emails     3 checked, drift 1',
    'activity   3 checked, drift 1',
    'records    6 checked, drift 2',
    'days       0 checked, drift 0',
    `  account ${gone}: does not exist, owns 1 sessions`,
    `  account ${gone}: does not exist, owns 1 devices`,
    `  account ${gone}: does not exist, owns 1 passkeys`,
    `  account ${gone}: does not exist, owns 1 secondFactors`,
    `  account ${gone}: does not exist, owns 1 emails`,
    `  account ${gone}: does not exist, owns 1 activity`,
    `  account ${gone}: does not exist, owns 2 idempotency`,
    'drift 8',
  ])
  t.match((await runReconcile(target, { fix: true })).lines.at(-1), 'drift 0 (8 fixed)')
  t.equal((await runReconcile(target)).lines.at(-1), 'drift 0')
  for (const name of ['sessions', 'devices', 'passkeys', 'activity']) {
    t.same((await db.collection(name).distinct('account')).map(String), [existing, waiting].map(String), name)
  }
  t.equal(await db.collection('idempotency').countDocuments(), 4)
  for (const name of ['emails', 'secondFactors']) t.equal(await db.collection(name).countDocuments(), 2, name)
  t.equal(await db.collection('revocations').countDocuments(), 1, 'access tokens of the deleted session end')
})

const inAnHour = () => new Date(Date.now() + 3_600_000)
const day = () => new Date(new Date().toISOString().slice(0, 10))
