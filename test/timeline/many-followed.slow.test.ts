import type { Db, UUID } from 'mongodb'
import t from 'tap'
import { collections } from '../../src/collections.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
import { ensureIndexes } from '../../src/database/indexes.ts'
import { timelineStore } from '../../src/timeline/store.ts'
import { freshDatabase, signUp, testServer } from '../helper.ts'
import { ids, seedFollows, seedPosts } from './seed.ts'

const never = new AbortController().signal

/** The store of a reader who follows these authors. */
const timelineOf = (db: Db, authors: readonly UUID[]) =>
  timelineStore(db, { followedBy: async (_, limit) => authors.slice(0, limit) })

t.test('the timeline of up to 900 followed accounts equals a search through all posts', async (t) => {
  const { db } = await freshDatabase(t)
  await ensureIndexes(db, collections)
  const [busy, mixed, silent, strangers] = [ids(3), ids(700), ids(900), ids(50)]
  const posts = await seedPosts(db, [...busy, ...mixed, ...strangers], 6_000)
  const replying = ids(200)
  const replies = await seedPosts(db, replying, 2_000)
  await db.collection('posts').updateMany({ author: { $in: replying } }, { $unset: { root: true } })
  const roots = posts.filter(({ root }) => root).map(({ _id, author }) => [String(_id), String(author)] as const)

  const readers = { mixed: [...busy, ...mixed], silent, replying, few: [...busy, ...silent.slice(0, 200)], none: [] }
  for (const [name, authors] of Object.entries(readers)) {
    const [timelines, reader] = [timelineOf(db, authors), newId()]
    const followed = new Set(authors.map(String))
    const expected = roots.flatMap(([id, author]) => (followed.has(author) ? [id] : [])).toReversed()
    for (const limit of [1, 20, 100]) {
      for (const from of [0, 1, 199, Math.floor(expected.length / 2), Math.max(0, expected.length - 5)]) {
        const after = from === 0 ? undefined : expected[from - 1]
        if (from > 0 && after === undefined) continue
        t.same(
          await timelines.list(reader, { after, limit }, { key: reader, signal: never }),
          expected.slice(from, from + limit + 1),
          `${name} ${from}`,
        )
      }
    }
  }
  t.ok(replies.length > 0)
})

t.test('a timeline of 450 followed reads, from one index, an entry or two of each and one page', async (t) => {
  const { url, db } = await testServer(t)
  const { client } = await signUp(url)
  const { id } = (await client.get<{ id: string }>('v1/account')).body
  const authors = ids(450)
  await seedFollows(db, id, authors)
  await seedPosts(db, authors, 5_000)
  const { nextCursor } = (await client.get<{ nextCursor: string }>('v1/timeline?limit=10')).body
  for (const query of ['?limit=10', `?limit=10&cursor=${nextCursor}`]) {
    await db.command({ profile: 2 })
    t.equal((await client.get(`v1/timeline${query}`)).statusCode, 200)
    await db.command({ profile: 0 })
    const profiles = db.collection('system.profile')
    const ns = (name: string) => ({ ns: `${db.databaseName}.${name}` })
    const [latest, ...others] = await profiles.find({ ...ns('posts'), 'command.aggregate': 'posts' }).toArray()
    t.match(latest, {
      planSummary: /^DISTINCT_SCAN \{ author: 1, root: 1, _id: -1 \}$/,
      docsExamined: 0,
      nreturned: 11,
    })
    t.ok(latest?.keysExamined <= 3 * 450, `${latest?.keysExamined} keys for 450 authors`)
    t.equal(others.length, 0)
    const [page, ...chunks] = await profiles.find({ ...ns('posts'), 'command.sort': { $exists: true } }).toArray()
    t.match(page?.planSummary, /^(IXSCAN \{ author: 1, root: 1, _id: -1 \}(, )?)+$/)
    t.match({ docsExamined: page?.docsExamined, sort: page?.hasSortStage ?? false }, { docsExamined: 0, sort: false })
    t.ok(page?.keysExamined <= 2 * 11 + 2 * 11, `${page?.keysExamined} keys for the page`)
    t.equal(chunks.length, 0)
    const reads = await profiles.find(ns('follows')).toArray()
    t.same(
      reads.map(({ planSummary, docsExamined, keysExamined }) => [planSummary, docsExamined, keysExamined]),
      [
        ['IXSCAN { from: 1, to: 1 }', 0, 200],
        ['IXSCAN { from: 1, to: 1 }', 0, 450],
      ],
    )
    await profiles.drop()
  }
})

t.test('each page is the newest posts of one moment, while posts are written and deleted', async (t) => {
  const { db } = await freshDatabase(t)
  await ensureIndexes(db, collections)
  const authors = ids(250)
  const seeded = await seedPosts(db, authors, 2_000)
  const posts = db.collection<(typeof seeded)[number]>('posts')
  const [template] = seeded
  if (!template) throw new Error('no posts')
  const roots = seeded.filter(({ root }) => root).map(({ _id }) => _id.toString())
  // The root posts after each write, newest first; a read sees those of one moment between its begin and its end.
  const versions = [roots.toReversed()]
  let isOver = false
  const write = async () => {
    while (!isOver) {
      const present = versions.at(-1) ?? []
      const doomed = present[Math.floor(Math.random() * 12)]
      if (present.length > 300 && doomed !== undefined && Math.random() < 0.8) {
        versions.push(present.filter((id) => id !== doomed))
        await posts.deleteOne({ _id: toUuid(doomed) }, { writeConcern: { w: 'majority' } })
      } else {
        const id = newId()
        versions.push([id, ...present])
        const author = authors[Math.floor(Math.random() * authors.length)] ?? template.author
        const post = { ...template, _id: toUuid(id), author, replyTo: null, root: true as const }
        await posts.insertOne(post, { writeConcern: { w: 'majority' } })
      }
    }
  }
  const writing = write()
  const timelines = timelineOf(db, authors)
  const wrong: number[] = []
  for (let n = 0; n < 150; n += 1) {
    // The last version might not have been written yet.
    const begin = Math.max(0, versions.length - 2)
    const after = n % 3 === 0 ? undefined : versions.at(-1)?.[n % 20]
    const found = await timelines.list(newId(), { after, limit: 10 }, { key: newId(), signal: never })
    const isOneMoment = versions.slice(begin).some((version) => {
      const page = version.filter((id) => after === undefined || id < after).slice(0, 11)
      return page.join() === found.join()
    })
    if (!isOneMoment) wrong.push(n)
  }
  isOver = true
  await writing
  t.same(wrong, [])
  t.ok(versions.length > 20, `${versions.length} writes`)
})
