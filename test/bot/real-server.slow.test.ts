import t, { type Test } from 'tap'
import { isSuccess } from '../../bot/report/verdict.ts'
import { testServer } from '../helper.ts'
import { runAgainst } from './run-crowd.ts'

const patient = { totalMs: 30_000, attemptTimeoutMs: 20_000 }

t.test('Secure cookies are sent over http on loopback, as in a browser', { timeout: 120_000 }, async (t) => {
  const { url } = await testServer(t, { COOKIE_SECURE: 'true' })
  const { findings, stats } = await runAgainst(url, { users: 2, ...patient })
  t.ok(isSuccess(findings, stats.failures()))
})

/** Runs a crowd whose final reading finds other data than the robots wrote. */
async function falsified(t: Test, falsify: (db: Awaited<ReturnType<typeof testServer>>['db']) => Promise<unknown>) {
  const { url, db } = await testServer(t)
  let done: Promise<unknown> | undefined
  const { findings } = await runAgainst(url, {
    ...{ users: 2, posts: 2, reactions: 6, ...patient },
    onPhase: (name) => {
      if (name === 'verify') done = falsify(db)
    },
  })
  await done
  return findings.findings.map(({ rule, object }) => `${rule} ${object}`)
}

t.test('a text, a count or reactions that change in the database are found', { timeout: 120_000 }, async (t) => {
  t.match(await falsified(t, (db) => db.collection('posts').updateMany({}, { $set: { text: '0. as it is' } })), [
    /^R text:/,
  ])
  t.match(await falsified(t, (db) => db.collection('posts').updateMany({}, { $inc: { 'counts.likes': 7 } })), [
    /^C likes:/,
  ])
  const lost = await falsified(t, (db) => db.collection('reactions').deleteMany({}))
  t.ok(lost.some((line) => line.startsWith('S reactions:')))
})

/** What a run left behind, with robots and posts by their numbers: the names hold the run. */
async function stateOf(db: Awaited<ReturnType<typeof testServer>>['db']): Promise<string[]> {
  const all = (name: string) => db.collection(name).find().toArray()
  const accounts = new Map((await all('accounts')).map(({ _id, username }) => [`${_id}`, username.split('_').at(-1)]))
  const posts = await all('posts')
  const nameOf = new Map(posts.map(({ _id, author, text }) => [`${_id}`, `${accounts.get(`${author}`)}: ${text}`]))
  const counts = ({ likes, dislikes, replies }: Record<string, number>) => `${likes} ${dislikes} ${replies}`
  return [
    ...posts.map((post) => `${nameOf.get(`${post._id}`)} to ${nameOf.get(`${post.replyTo}`)} ${counts(post.counts)}`),
    ...(await all('reactions')).map(
      ({ post, account, value }) => `${accounts.get(`${account}`)} ${value} ${nameOf.get(`${post}`)}`,
    ),
    ...(await all('follows')).map(({ from, to }) => `${accounts.get(`${from}`)} follows ${accounts.get(`${to}`)}`),
    ...(await all('accounts')).map(
      ({ username, bio, displayName }) => `${username.split('_').at(-1)} ${displayName} ${bio}`,
    ),
  ].sort()
}

t.test('runs of one seed on fresh servers leave the same state', { timeout: 240_000 }, async (t) => {
  const states: string[][] = []
  for (let run = 0; run < 2; run += 1) {
    const { url, db } = await testServer(t)
    const size = { users: 5, posts: 4, replies: 4, follows: 5, reactions: 12, deletions: 20, seed: 9 }
    const { findings } = await runAgainst(url, { ...size, ...patient })
    t.strictSame(findings.findings, [])
    states.push(await stateOf(db))
  }
  t.strictSame(states[0], states[1])
  t.ok((states[0]?.length ?? 0) > 30, `${states[0]?.length} lines`)
})
