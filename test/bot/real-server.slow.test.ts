import t from 'tap'
import { CookieJar } from 'tough-cookie'
import { openClients } from '../../bot/client.ts'
import { Semaphore } from '../../bot/concurrency.ts'
import { identity } from '../../bot/content.ts'
import { Ledger } from '../../bot/ledger.ts'
import { isSuccess } from '../../bot/report/verdict.ts'
import { Robot } from '../../bot/robot.ts'
import { Stats } from '../../bot/stats.ts'
import { verify } from '../../bot/verify.ts'
import { testServer } from '../helper.ts'
import { createRunContext, runAgainst } from './run-crowd.ts'

const size = { users: 6, posts: 4, reactions: 25, totalMs: 30_000, attemptTimeoutMs: 20_000 }

t.test('two runs with one seed on the real server succeed and add 24 posts each', { timeout: 120_000 }, async (t) => {
  const { url, db } = await testServer(t)
  for (const posts of [24, 48]) {
    const { findings, stats } = await runAgainst(url, { ...size, seed: 11 })
    t.strictSame(findings.mismatches, [])
    t.ok(isSuccess(findings, stats.failures()), 'success', { failures: stats.failures() })
    t.equal(findings.totals.posts, 24)
    t.equal(await db.collection('posts').countDocuments(), posts)
  }
})

t.test('Secure cookies are sent over http on loopback, as in a browser', { timeout: 120_000 }, async (t) => {
  const { url } = await testServer(t, { COOKIE_SECURE: 'true' })
  const { findings, stats } = await runAgainst(url, { ...size, users: 2 })
  t.ok(isSuccess(findings, stats.failures()))
})

t.test(
  'a robot refreshes an expired session and logs in again after a deleted one',
  { timeout: 120_000 },
  async (t) => {
    const { url, db } = await testServer(t)
    const { robot, jar, ledger, stats } = await signedUpRobot(url)
    const expire = () => jar.setCookie('session=; Max-Age=0; Path=/', url)
    const count = (action: string) => stats.rows().find((row) => row.action === action)?.count ?? 0

    await expire()
    await robot.createPost({ author: 0, post: 0 }, 'after a refresh')
    t.equal(count('refresh'), 1)
    t.equal(count('log in'), 0)

    await expire()
    await db.collection('sessions').deleteMany({})
    await robot.createPost({ author: 0, post: 1 }, 'after a log-in')
    t.equal(count('log in'), 1)
    t.equal(ledger.posts.size, 2)
    t.strictSame(stats.failures(), [])
  },
)

t.test('a modified text, count or reaction in the database is a mismatch', { timeout: 120_000 }, async (t) => {
  const { url, db } = await testServer(t)
  const { robot, ledger, findMismatches } = await signedUpRobot(url)
  const place = { author: 0, post: 0 }
  await robot.createPost(place, 'as it was')
  await robot.react({ ...place, action: 'like', value: 'like' })
  t.equal(ledger.posts.size, 1)
  t.strictSame(await findMismatches(), [])

  await db.collection('posts').updateOne({}, { $set: { text: 'as it is', 'counts.likes': 7 } })
  t.match(await findMismatches(), [/expected the text "as it was", got "as it is"/, /expected like count 1, got 7/])
  await db.collection('posts').updateOne({}, { $set: { text: 'as it was', 'counts.likes': 1 } })
  await db.collection('reactions').deleteMany({})
  t.match(await findMismatches(), [/the like by \w+ is not listed/])
})

/** One robot that has signed up, with its context. */
async function signedUpRobot(url: string) {
  const { context, stats } = createRunContext(url, { totalMs: 30_000, attemptTimeoutMs: 20_000 })
  const [ledger, jar, openClient] = [new Ledger(), new CookieJar(), openClients(context)]
  const robotContext = { ledger, stats, authSlots: new Semaphore(4), runId: 'run', openClient }
  const robot = new Robot(identity(Date.now(), 0), jar, robotContext)
  await robot.signUp()
  const findMismatches = async () => {
    const verification = await verify(openClient(), ledger, new Stats(), () => {})
    return verification.outcome === 'complete' ? verification.mismatches : verification.reason
  }
  return { robot, jar, ledger, stats, findMismatches }
}
