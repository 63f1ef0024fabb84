import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { faultyServers, keepLiking, limits } from '../fixtures/faulty-servers.ts'
import { password, retry503, signUp } from '../helper.ts'
import { serverOn } from '../sessions/servers.ts'
import { countMismatches, deleteAccount, documentsOf, idOf } from './count-invariants.ts'

t.test('a server that is killed in the commit of a deletion stops no writer of another server', async (t) => {
  const { proxy, first, second, db } = await faultyServers(t)
  const ann = await signUp(first)
  await ann.client.post('v1/session/confirm', { json: { password } })
  const stop = await keepLiking(second)
  proxy.cut({ command: 'commitTransaction', when: 'never', times: 1 })
  void ann.client.delete('v1/account').catch(() => undefined)
  await eventually(() => proxy.cuts() === 1)
  proxy.disconnect()
  await delay(8_000)
  const { longestMs, refused } = await stop()
  t.same(refused, [])
  t.ok(longestMs < 6_000, `the longest pause was ${Math.round(longestMs)} ms`)
  t.ok(await db.collection('accounts').findOne({ username: ann.username }), 'the deletion was not committed')
})

t.test('a deletion whose commit is lost stops no other writer of its server', async (t) => {
  const { proxy, first, db } = await faultyServers(t)
  const ann = await signUp(first)
  await ann.client.post('v1/session/confirm', { json: { password } })
  const stop = await keepLiking(first)
  // Commits of likes pass, or are lost in place of the deletion's: neither stops the others for long.
  proxy.cut({ command: 'commitTransaction', when: 'never', times: 2 })
  const { statusCode } = await ann.client.delete('v1/account')
  await delay(3_000)
  const { longestMs } = await stop()
  t.ok([204, 503].includes(statusCode), `${statusCode}`)
  t.ok(longestMs < 8_000, `the longest pause was ${Math.round(longestMs)} ms`)
  t.same(await countMismatches(db), [])
})

t.test('60 accounts that are deleted at once on two servers are deleted, while others like posts', async (t) => {
  const { first, second, db, connection } = await faultyServers(t)
  const users = []
  for (let n = 0; n < 60; n += 10) {
    users.push(...(await Promise.all(Array.from({ length: 10 }, (_, m) => signUp(m % 2 ? first : second)))))
  }
  const ids = await Promise.all(users.map(idOf))
  for (const [n, { client }] of users.entries()) {
    const other = users[(n + 1) % users.length]?.username ?? ''
    await client.put(`v1/accounts/${other}/follow`)
  }
  const stop = await keepLiking(await serverOn(t, connection, limits))
  const statuses = await Promise.all(users.map(deleteAccount))
  const { longestMs } = await stop()
  t.comment(`the longest pause was ${Math.round(longestMs)} ms`)
  const deleted = statuses.filter((status) => status === 204)
  t.ok(deleted.length > 30, `${deleted.length} are deleted at the first try, whatever else the machine does`)
  for (const [n, user] of users.entries()) {
    if (statuses[n] !== 204) await retry503(async () => ({ statusCode: await deleteAccount(user) }))
  }
  await eventually(async () => (await Promise.all(ids.map((id) => documentsOf(db, id)))).every(isEmpty))
  t.same(await countMismatches(db), [])
})

const isEmpty = (found: object) => Object.keys(found).length === 0
