import type { Db, Document, UUID } from 'mongodb'
import t from 'tap'
import { dailyCountsIn } from '../../src/analytics/daily-counts.ts'
import { indexedDatabase, newUuid, postDocument, postsOf, runReconcile, seedAccount } from './seed.ts'

/** Of a post or an account: it exists, or its deletion is not yet swept, or it is, or its tombstone has expired. */
const states = ['existing', 'unswept', 'swept', 'forgotten'] as const
type State = (typeof states)[number]

const isKept = (state: State) => state === 'existing' || state === 'unswept'

const insert = (db: Db, name: string, document: Document & { _id: object }) =>
  db.collection<Document & { _id: object }>(name).insertOne(document)

async function seedTombstone(db: Db, name: string, _id: UUID, state: State): Promise<void> {
  if (state === 'unswept') await insert(db, name, { _id })
  if (state === 'swept') await insert(db, name, { _id, sweptAt: new Date() })
}

async function accountIn(db: Db, state: State, counts: object = {}): Promise<UUID> {
  if (state === 'existing') return seedAccount(db, counts)
  const account = newUuid()
  await seedTombstone(db, 'removedAccounts', account, state)
  return account
}

async function postIn(db: Db, state: State, counts: object): Promise<UUID> {
  const post = postDocument(await seedAccount(db, { posts: state === 'existing' ? 1 : 0 }), counts)
  if (state === 'existing') await postsOf(db).insertOne(post)
  else await seedTombstone(db, 'removedPosts', post._id, state)
  return post._id
}

/** One document of each kind for each combination of its owners' states. @returns those that must be reported */
async function seedStates(db: Db): Promise<string[]> {
  const illegal: string[] = []
  let likes = 0
  const expect = (isLegal: boolean, owner: 'post' | 'account', id: UUID, owned: string) => {
    if (!isLegal) illegal.push(`${owner} ${id}: does not exist, owns 1 ${owned}`)
  }
  for (const [one, other] of states.flatMap((one) => states.map((other) => [one, other] as const))) {
    const [post, account] = [await postIn(db, one, { likes: 1 }), await accountIn(db, other)]
    const pair = { post, account }
    await insert(db, 'reactions', { _id: pair, ...pair, value: 'like', order: newUuid() })
    likes += 1
    expect(isKept(one), 'post', post, 'reactions')
    expect(isKept(other) || one === 'unswept', 'account', account, 'reactions')

    const [from, to] = [await accountIn(db, one, { following: 1 }), await accountIn(db, other, { followers: 1 })]
    await insert(db, 'follows', { _id: { from, to }, from, to, order: newUuid() })
    expect(isKept(one), 'account', from, 'follows')
    expect(isKept(other), 'account', to, 'follows')
  }
  for (const state of states) {
    const author = await accountIn(db, state, { posts: 1 })
    await postsOf(db).insertOne(postDocument(author))
    expect(isKept(state), 'account', author, 'posts')
    const owner = await accountIn(db, state)
    const expiring = {
      account: owner,
      at: new Date(),
      endsAt: new Date(Date.now() + 3_600_000),
      lastUsedAt: new Date(),
    }
    for (const name of ['activity', 'devices', 'sessions'])
      await insert(db, name, { _id: newUuid(), family: newUuid(), ...expiring })
    await insert(db, 'idempotency', { _id: { account: owner, key: 'k' }, at: new Date() })
    for (const name of ['emails', 'secondFactors']) await insert(db, name, { _id: owner })
    for (const name of ['activity', 'devices', 'emails', 'sessions', 'idempotency', 'secondFactors'])
      expect(isKept(state), 'account', owner, name)
  }
  const day = new Date(new Date().toISOString().slice(0, 10))
  await dailyCountsIn(db).insertOne({ _id: { day, writer: 1 }, likes, dislikes: 0 })
  return illegal
}

t.test('each state that a deletion passes through is no drift, and each other one is', async (t) => {
  const target = await indexedDatabase(t)
  const illegal = await seedStates(target.db)
  const { results } = await runReconcile(target)
  const shown = results.flatMap((result) => result.shown.map(({ description }) => description))
  t.same(shown.toSorted(), illegal.toSorted())
  t.ok(illegal.length > 30)
  t.match((await runReconcile(target, { fix: true })).lines.at(-1), /^drift 0 \(\d+ fixed\)$/)
  t.equal((await runReconcile(target)).lines.at(-1), 'drift 0')
})
