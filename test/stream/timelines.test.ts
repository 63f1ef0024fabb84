import { UUID } from 'mongodb'
import t, { type Test } from 'tap'
import { newId } from '../../src/database/ids.ts'
import { openTimelines } from '../../src/stream/timelines.ts'
import { freshDatabase } from '../helper.ts'

/** Timelines of accounts that follow so many others: in each there is its own account, too. */
async function fixture(t: Test, maxAuthors?: number) {
  const { db } = await freshDatabase(t)
  const counts = new Map<string, number>()
  const ended: string[] = []
  let reading = 0
  let mostReading = 0
  const follows = {
    async followedBy(account: string) {
      reading += 1
      mostReading = Math.max(mostReading, reading)
      await db.command({ ping: 1 })
      reading -= 1
      return Array.from({ length: counts.get(account) ?? 0 }, () => new UUID())
    },
  }
  const end = ({ account }: { account: string }) => void ended.push(account)
  const timelines = openTimelines(db, follows, { end, ...(maxAuthors !== undefined && { maxAuthors }) })
  const open = (followed: number) => {
    const account = newId()
    counts.set(account, followed)
    return timelines.open(account)
  }
  return { timelines, open, ended, mostReading: () => mostReading }
}

t.test('when all timelines together have too many authors, the streams of the largest end', async (t) => {
  const { timelines, open, ended } = await fixture(t, 14)
  const [middle, large, small] = [open(3), open(6), open(2)]
  await timelines.renew(new Set([middle, large, small]))
  t.same(ended, [])
  const next = open(4)
  await timelines.renew(new Set([next]))
  t.same(ended, [large.account])
  t.same(
    [middle, large, small, next].map(({ authors }) => authors.size),
    [4, 0, 3, 5],
  )
  await timelines.renew(new Set([middle, small, next]))
  t.equal(ended.length, 1)
})

t.test('a timeline counts once, however many streams it has, and no more when the last has closed', async (t) => {
  const { timelines, open, ended } = await fixture(t, 14)
  const first = open(9)
  timelines.open(first.account)
  await timelines.renew(new Set([first]))
  timelines.close(first)
  t.equal(first.authors.size, 10)
  const second = open(3)
  await timelines.renew(new Set([second]))
  t.same(ended, [])
  timelines.close(first)
  await timelines.renew(new Set([open(8)]))
  t.same(ended, [])
})

t.test('of 50 timelines that have changed, eight are read at a time', async (t) => {
  const { timelines, open, mostReading } = await fixture(t)
  const opened = Array.from({ length: 50 }, () => open(1))
  await timelines.renew(new Set(opened))
  t.equal(mostReading(), 8)
  t.ok(opened.every(({ authors }) => authors.size === 2))
})
