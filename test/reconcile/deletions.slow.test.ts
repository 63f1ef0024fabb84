import { setTimeout as delay } from 'node:timers/promises'
import type { Db } from 'mongodb'
import t from 'tap'
import { toUuid } from '../../src/database/ids.ts'
import { eventually } from '../eventually.ts'
import { password, signUp, testServer } from '../helper.ts'
import { reactionsOf, runReconcile } from './seed.ts'

/** Keeps the sweep of a post waiting for up to 10 s: it conflicts with this transaction. @returns what ends it */
async function blockSweep(db: Db, post: string): Promise<() => Promise<void>> {
  const session = db.client.startSession()
  session.startTransaction()
  await reactionsOf(db).updateMany({ post: toUuid(post) }, { $set: { isHeld: true } }, { session })
  let isOver = false
  // A transaction that runs nothing for a second is killed as orphaned.
  const running = (async () => {
    while (!isOver) {
      await reactionsOf(db)
        .findOne({}, { session })
        .catch(() => undefined)
      await delay(200)
    }
  })()
  return async () => {
    isOver = true
    await running
    await session.abortTransaction().catch(() => undefined)
    await session.endSession()
  }
}

const isSwept = async (db: Db, tombstones: 'removedPosts' | 'removedAccounts') =>
  (await db.collection(tombstones).countDocuments({ sweptAt: { $exists: false } })) === 0

t.test('while posts and accounts are deleted and swept, reconcile reports no drift', async (t) => {
  const { url, db } = await testServer(t)
  const drift = async () => {
    const { lines, results } = await runReconcile({ client: db.client, db })
    return lines.slice(results.length)
  }
  let checksWhileUnswept = 0
  for (const deletesPost of [true, false, true]) {
    const users = [await signUp(url), await signUp(url), await signUp(url), await signUp(url)] as const
    const [author, fan, friend, other] = users
    const { body } = await author.client.post<{ id: string }>('v1/posts', { json: { text: '.' } })
    for (const { client } of users) {
      await client.put(`v1/posts/${body.id}/reaction`, { json: { value: 'like' } })
      await client.put(`v1/accounts/${fan.username}/follow`)
      await client.post('v1/posts', { json: { text: '.', replyTo: body.id } })
      await client.post('v1/session/confirm', { json: { password } })
    }
    const unblock = await blockSweep(db, body.id)
    if (deletesPost) await author.client.delete(`v1/posts/${body.id}`)
    // The post is deleted with its author at the latest.
    for (const { client } of [author, fan]) t.equal((await client.delete('v1/account')).statusCode, 204)
    await eventually(() => isSwept(db, 'removedAccounts'))
    if (!(await isSwept(db, 'removedPosts'))) {
      t.same(await drift(), ['drift 0'], 'reactions of deleted accounts wait for the sweep of their post')
      checksWhileUnswept += 1
    }
    await unblock()
    const deletion = friend.client.delete('v1/account')
    while (!(await isSwept(db, 'removedPosts'))) t.same(await drift(), ['drift 0'])
    t.equal((await deletion).statusCode, 204)
    t.same(await drift(), ['drift 0'])
    t.equal((await other.client.get('v1/account')).statusCode, 200)
  }
  t.ok(checksWhileUnswept > 0, 'also before the sweep')
})
