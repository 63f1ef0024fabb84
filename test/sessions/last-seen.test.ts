import { setTimeout as delay } from 'node:timers/promises'
import type { UUID } from 'mongodb'
import { pino } from 'pino'
import t from 'tap'
import { newId, toUuid } from '../../src/database/ids.ts'
import { lastSeen } from '../../src/sessions/last-seen.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, signUp, testServer } from '../helper.ts'
import { logIn } from './servers.ts'

type LastSeen = { _id: UUID; at: Date }
type SessionPage = { items: { id: string; lastSeenAt: string; createdAt: string; current: boolean }[] }

t.test('a session’s lastSeenAt is the later of its last refresh and its last request', async (t) => {
  const { url, db } = await testServer(t)
  const { client, username } = await signUp(url)
  const { id } = await logIn(url, username)
  const collection = db.collection<LastSeen>('lastSeen')
  const read = async () => {
    const { items } = await client.get<SessionPage>('v1/sessions').json<SessionPage>()
    return items.find((session) => session.id === id)
  }
  t.equal((await read())?.lastSeenAt, (await read())?.createdAt, 'nothing was sent with it: its login')
  const later = new Date(Date.now() + 5_000)
  await collection.insertOne({ _id: toUuid(id), at: later })
  t.equal((await read())?.lastSeenAt, later.toISOString())
  await collection.updateOne({ _id: toUuid(id) }, { $set: { at: new Date(0) } })
  t.equal((await read())?.lastSeenAt, (await read())?.createdAt)
})

t.test('the time of a session never moves back', async (t) => {
  const { db } = await freshDatabase(t)
  const collection = db.collection<LastSeen>('lastSeen')
  const [ahead, behind] = [newId(), newId()]
  const future = new Date(Date.now() + 30_000)
  await collection.insertMany([
    { _id: toUuid(ahead), at: future },
    { _id: toUuid(behind), at: new Date(0) },
  ])
  const { note } = lastSeen(db, pino({ level: 'silent' }))
  note(ahead)
  note(behind)
  const at = async (session: string) => (await collection.findOne({ _id: toUuid(session) }))?.at.getTime() ?? 0
  await eventually(async () => (await at(behind)) > 0)
  await delay(100)
  t.equal(await at(ahead), future.getTime())
})
