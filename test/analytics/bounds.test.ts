import { MongoClient } from 'mongodb'
import t from 'tap'
import { analyticsStore } from '../../src/analytics/store.ts'
import { collections } from '../../src/collections.ts'
import { newId } from '../../src/database/ids.ts'
import { ensureIndexes } from '../../src/database/indexes.ts'
import { freshDatabase } from '../helper.ts'

t.test('30 concurrent analytics: 2 are read at a time', async (t) => {
  const { db, connection } = await freshDatabase(t)
  await ensureIndexes(db, collections)
  const { uri, username, password } = connection
  const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin', monitorCommands: true })
  await client.connect()
  t.teardown(() => client.close())
  const running = new Set<number>()
  let runningMax = 0
  client.on('commandStarted', ({ command, requestId }) => {
    if (command.aggregate === undefined && command.find === undefined) return
    running.add(requestId)
    runningMax = Math.max(runningMax, running.size)
  })
  client.on('commandSucceeded', ({ requestId }) => running.delete(requestId))
  const analytics = analyticsStore(client.db(db.databaseName))
  const day = new Date('2026-11-26T00:00:00Z')
  const { signal } = new AbortController()
  const reads = Array.from({ length: 30 }, () => analytics.reactionsByDay(day, day, { key: newId(), signal }))
  // On a busy machine some wait for more than 2 s, and are refused.
  const read = (await Promise.allSettled(reads)).flatMap((result) =>
    result.status === 'fulfilled' ? result.value : [],
  )
  t.ok(read.length > 0)
  for (const counts of read) t.same(counts, { day, likes: 0, dislikes: 0 })
  t.equal(runningMax, 2)
})
