import t from 'tap'
import { CookieJar } from 'tough-cookie'
import { openClients } from '../../bot/client.ts'
import { Semaphore } from '../../bot/concurrency.ts'
import { identity } from '../../bot/content.ts'
import { Ledger } from '../../bot/ledger.ts'
import { isSuccess } from '../../bot/report.ts'
import { Robot } from '../../bot/robot.ts'
import { Stats } from '../../bot/stats.ts'
import { verify } from '../../bot/verify.ts'
import { testServer } from '../helper.ts'
import { createRunContext, runAgainst } from './run-crowd.ts'

const size = { users: 6, posts: 4, reactions: 25, total: 30_000, attempt: 20_000 }

t.test('the crowd and the real server agree, a second time with the same seed too', { timeout: 120_000 }, async (t) => {
  const { url, db } = await testServer(t)
  for (const posts of [24, 48]) {
    const { findings, stats } = await runAgainst(url, { ...size, seed: 11 })
    t.strictSame(findings.mismatches, [])
    t.ok(isSuccess(findings, stats.failures()), 'success', { failures: stats.failures() })
    t.equal(findings.totals.posts, 24)
    t.equal(await db.collection('posts').countDocuments(), posts)
  }
})

t.test('cookies for https only travel on loopback as in a browser', { timeout: 60_000 }, async (t) => {
  const { url } = await testServer(t, { COOKIE_SECURE: 'true' })
  const { findings, stats } = await runAgainst(url, { ...size, users: 2 })
  t.ok(isSuccess(findings, stats.failures()))
})

t.test('an expired session is refreshed, an ended one entered anew', { timeout: 60_000 }, async (t) => {
  const { url, db } = await testServer(t)
  const { robot, jar, ledger, stats } = await settled(url)
  const expire = () => jar.setCookie('session=; Max-Age=0; Path=/', url)
  const count = (action: string) => stats.rows().find((row) => row.action === action)?.count ?? 0

  await expire()
  await robot.write({ author: 0, post: 0 }, 'after the first turn')
  t.equal(count('refresh'), 1)
  t.equal(count('log in'), 0)

  await expire()
  await db.collection('sessions').deleteMany({})
  await robot.write({ author: 0, post: 1 }, 'after a new login')
  t.equal(count('log in'), 1)
  t.equal(ledger.posts.size, 2)
  t.strictSame(stats.failures(), [])
})

t.test('a database that was tampered with is found out', { timeout: 60_000 }, async (t) => {
  const { url, db } = await testServer(t)
  const { robot, ledger, read } = await settled(url)
  const place = { author: 0, post: 0 }
  await robot.write(place, 'as it was')
  await robot.react({ ...place, action: 'like', value: 'like' })
  t.equal(ledger.posts.size, 1)
  t.strictSame(await read(), [])

  await db.collection('posts').updateOne({}, { $set: { text: 'as it is', 'counts.likes': 7 } })
  t.match(await read(), [/expected the text "as it was", seen "as it is"/, /expected 1 likes, seen 7/])
  await db.collection('posts').updateOne({}, { $set: { text: 'as it was', 'counts.likes': 1 } })
  await db.collection('reactions').deleteMany({})
  t.match(await read(), [/the like by \w+ is not listed/])
})

/** One robot that has signed up, with what it needs in a test's hands. */
async function settled(url: string) {
  const { context, stats } = createRunContext(url, { total: 30_000, attempt: 20_000 })
  const [ledger, jar, openClient] = [new Ledger(), new CookieJar(), openClients(context)]
  const robotContext = { ledger, stats, authSlots: new Semaphore(4), runId: 'run', openClient }
  const robot = new Robot(identity(Date.now(), 0), jar, robotContext)
  await robot.arrive()
  return { robot, jar, ledger, stats, read: () => verify(openClient(), ledger, new Stats(), () => {}) }
}
