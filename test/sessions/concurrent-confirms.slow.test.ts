import t from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, password, retry503, signUp } from '../helper.ts'
import { twoServers } from './servers.ts'

/** One session, which confirms itself on both servers in turn. */
async function confirmer(...[t, env]: Parameters<typeof twoServers>) {
  const { url, urls, db } = await twoServers(t, env)
  const { client } = await signUp(url)
  // Without the refresh token: on a slow machine, the last ones would present it after its grace period.
  const cookie = (await client.jar.getCookieString(url)).replace(/;? *refresh=[^;]+/, '')
  const confirm = (presented: string, n = 0) =>
    retry503(() =>
      makeClient(urls[n % 2] ?? url).post('v1/session/confirm', { json: { password: presented }, headers: { cookie } }),
    )
  const confirmAll = (count: number, presented: string) =>
    Promise.all(Array.from({ length: count }, (_, n) => confirm(presented, n)))
  const statusOf = async () => (await client.get('v1/session')).statusCode
  const setChecks = (count: number, ageSeconds: number) => {
    const at = { $subtract: ['$$NOW', ageSeconds * 1_000] }
    const checking = Array.from({ length: count }, (_, n) => ({ id: `${n}`, at }))
    return db.collection('sessions').updateMany({}, [{ $set: { checking } }])
  }
  const countFailed = async () => {
    const items = await db.collection<{ count: number }>('activity').find({ event: 'confirm-failed' }).toArray()
    return items.reduce((sum, { count }) => sum + count, 0)
  }
  return { confirm, confirmAll, countFailed, setChecks, statusOf }
}

t.test('of 20 concurrent confirmations with the right password none is told that it is wrong', async (t) => {
  // So that a check takes long enough for the others to arrive.
  const { confirm, confirmAll, statusOf } = await confirmer(t, { BCRYPT_COST: '10' })
  const statuses = (await confirmAll(20, password)).map(({ statusCode }) => statusCode)
  t.same(
    statuses.filter((status) => status !== 200 && status !== 429),
    [],
  )
  t.ok(statuses.filter((status) => status === 200).length >= 10)
  t.equal(await statusOf(), 200, 'the session is live')
  t.equal((await confirm(password)).statusCode, 200, 'no place is left behind')
})

t.test(
  'while ten passwords of a session are checked, another gets 429; a lost check counts as a failure',
  async (t) => {
    const { confirm, setChecks, statusOf } = await confirmer(t)
    await setChecks(9, 0)
    t.equal((await confirm(password)).statusCode, 200)
    await setChecks(10, 0)
    const { statusCode, headers, body } = await confirm(password)
    t.match(
      { statusCode, headers, body },
      {
        statusCode: 429,
        headers: { 'retry-after': '1', 'ratelimit-policy': '"passwords-by-session";q=10;w=60' },
        body: { code: 'rate-limited' },
      },
    )
    await setChecks(9, 61)
    t.equal((await confirm(password)).statusCode, 200, 'nine lost checks leave one')
    await setChecks(10, 61)
    t.equal((await confirm(password)).statusCode, 401)
    t.equal(await statusOf(), 401, 'the session has ended')
  },
)

t.test(
  'of 30 concurrent wrong passwords on two servers exactly ten are checked; the tenth ends the session',
  async (t) => {
    const { confirmAll, countFailed, statusOf } = await confirmer(t)
    const answers = await confirmAll(30, 'wrong')
    for (const { statusCode } of answers) t.ok(statusCode === 401 || statusCode === 429, `${statusCode}`)
    for (let rounds = 0; rounds < 10 && (await statusOf()) === 200; rounds += 1) await confirmAll(10, 'wrong')
    t.equal(await statusOf(), 401)
    // A busy writer records a failure after its answer.
    await t.resolves(eventually(async () => (await countFailed()) >= 10))
    t.equal(await countFailed(), 10)
  },
)
