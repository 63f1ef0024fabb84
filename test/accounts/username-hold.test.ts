import type { Db } from 'mongodb'
import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { deleteAccount } from './count-invariants.ts'

const hold = { USERNAME_HOLD_DAYS: '30' }
const trySignUp = async (url: string, username: string) =>
  (await makeClient(url).post('v1/accounts', { json: { username, password } })).statusCode
const names = (db: Db) => db.collection<{ _id: string; heldUntil: Date }>('usernames')

t.test('a deleted account’s username is taken in any case for 30 days, then free for one account', async (t) => {
  const { url, db } = await testServer(t, hold)
  const ann = await signUp(url, 'Ann_Held')
  t.equal(await deleteAccount(ann), 204)
  for (const username of ['Ann_Held', 'ann_held', 'ANN_HELD']) {
    const { statusCode, body } = await makeClient(url).post('v1/accounts', { json: { username, password } })
    // docs/security.md, Accepted: 409 and 404 tell that the name is held.
    t.match({ statusCode, body }, { statusCode: 409, body: { code: 'username-taken' } }, username)
    t.equal((await makeClient(url).get(`v1/accounts/${username}`)).statusCode, 404)
    t.equal((await makeClient(url).post('v1/session', { json: { username, password } })).statusCode, 401)
  }
  const [held] = await names(db).find().toArray()
  t.same(Object.keys(held ?? {}), ['_id', 'heldUntil'], 'the account’s id is not kept')
  const days = ((held?.heldUntil.getTime() ?? 0) - Date.now()) / 86_400_000
  t.ok(days > 29.9 && days <= 30, `${days} days`)

  await names(db).updateOne({ _id: 'ann_held' }, { $set: { heldUntil: new Date() } })
  const statuses = await Promise.all([trySignUp(url, 'Ann_held'), trySignUp(url, 'aNN_HELD')])
  t.same(statuses.sort(), [201, 409], 'an expired hold is free even before MongoDB deletes it')
  t.equal((await makeClient(url).get('v1/accounts/ann_held')).statusCode, 200)
  const { key } = (await names(db).indexes()).find(({ expireAfterSeconds }) => expireAfterSeconds === 0) ?? {}
  t.same(key, { heldUntil: 1 }, 'a TTL index deletes it')
})

t.test('with USERNAME_HOLD_DAYS=0 a deleted account’s username is free at once', async (t) => {
  const { url, db } = await testServer(t, { USERNAME_HOLD_DAYS: '0' })
  t.equal(await deleteAccount(await signUp(url, 'bob_free')), 204)
  t.equal(await names(db).countDocuments(), 0)
  t.equal(await trySignUp(url, 'BOB_free'), 201)
})
