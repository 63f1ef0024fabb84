import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { runAgainst } from '../bot/run-crowd.ts'
import { startCommand } from '../cli/start-command.ts'
import { rotatingDatabase } from '../database/fixtures/rotating-server.ts'
import { eventually } from '../eventually.ts'
import { makeClient, signUp } from '../helper.ts'
import { freshFolder, startServer } from '../main/server-process.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { alternatingProxy } from './fixtures/alternating-proxy.ts'
import { secretFiles } from './fixtures/secret-files.ts'

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
const secret = (name: string) => `${name}-Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K`

async function keys(t: Test, ...args: string[]): Promise<string> {
  const { code, out, error } = await startCommand(t, 'cli/keys.ts', {}, args).ended
  t.match({ code, error }, { code: 0, error: '' })
  return out
}

/** The kid of the key that signs at a server, or null when the server could not answer. */
async function signingKid(url: string): Promise<string | null> {
  const json = { username: `k${Math.random().toString(36).slice(2)}`, password: 'three blind mice sing 7 songs' }
  const { headers } = await makeClient(url).post('v1/accounts', { json })
  const [header = ''] = setCookies(headers).session?.value.split('.') ?? []
  if (header === '') return null
  return JSON.parse(Buffer.from(header, 'base64url').toString()).kid
}

t.test(
  'two servers under the robots’ load, a key rotated and retired, users alternated: no session lost and no 5xx in 10,000 requests',
  { timeout: 450_000 },
  async (t) => {
    const { connection, setUser } = await rotatingDatabase(t)
    const files = secretFiles(await freshFolder(t))
    const ring = await files.write('keys', [
      { kid: 'ancient', signFrom: minutesAgo(600), key: secret('ancient') },
      { kid: 'present', signFrom: minutesAgo(60), key: secret('present') },
    ])
    const users = ['rookery-a', 'rookery-b'].map((username) => ({
      username,
      password: `first password of ${username}`,
    }))
    for (const { username, password } of users) await setUser(username, password)
    const credentials = await files.write('user', users[0])
    const env = {
      MONGODB_URI: connection.uri,
      BCRYPT_COST: '4',
      SECRETS_REFRESH_SECONDS: '1',
      DB_CREDENTIALS_FILE: credentials,
      JWT_SIGN_KEYS_FILE: ring,
    }
    const servers = await Promise.all([startServer(t, env), startServer(t, { ...env, WEB_CONCURRENCY: '2' })])
    const { url, statuses, total } = await alternatingProxy(
      t,
      servers.map((server) => server.url),
    )

    let rounds = 0
    let isRotated = false
    const load = (async () => {
      while (total() < 10_000 || !isRotated) {
        rounds += 1
        const size = { users: 20, posts: 4, reactions: 30, follows: 6, replies: 4 }
        const run = { seed: rounds, totalMs: 60_000, attemptTimeoutMs: 20_000 }
        const { findings, stats } = await runAgainst(url, { ...size, ...run })
        t.strictSame(findings.findings, [])
        t.same(stats.failures(), [])
        // Of ten robots one comes back without its access token; refusals that must happen are no retries.
        const lost = stats.retries().filter(({ cause }) => cause.startsWith('401'))
        const returners = size.users / 10
        t.ok(
          lost.every(({ action, count }) => action === 'read timeline' && count <= returners),
          'no session lost',
          { lost },
        )
      }
    })()

    await delay(2_000)
    // Longer than both servers' interval, and than the next two commands take on a busy machine.
    await keys(t, 'rotate', '--in', '30', ring)
    await keys(t, 'retire', ring)
    t.match(await keys(t, 'list', ring), /present +HS256 +\S+ +signs\n.* next\n/)
    for (const next of [1, 0, 1]) {
      // As AWS's rotation does: the user that is not in use gets a new password first.
      const user = { username: users[next]?.username ?? '', password: `password ${Math.random()}` }
      await setUser(user.username, user.password)
      await files.write('user', user)
      await eventually(() => servers.every(({ out }) => out.split('secret changed').length > 1))
      await delay(2_500)
    }
    const isNew = async (url: string) => !['present', null].includes(await signingKid(url))
    for (const { url } of servers) await eventually(() => isNew(url), { withinMs: 120_000, everyMs: 1_000 })
    isRotated = true
    await load
    t.comment(Object.fromEntries(statuses), `${rounds} crowds`)
    t.ok(total() >= 10_000)
    t.same(
      [...statuses.keys()].filter((status) => status >= 500),
      [],
    )
    for (const server of servers) {
      t.match(server.out, /secret changed/)
      t.equal((await server.kill('SIGTERM')).code, 0)
    }
  },
)

t.test('a single user’s password is rotated: no 500, and all is well within 6 s of the source’s change', async (t) => {
  const { connection, setUser } = await rotatingDatabase(t)
  const files = secretFiles(await freshFolder(t))
  const path = await files.write('password', connection.password)
  const env = {
    MONGODB_URI: connection.uri,
    DB_USER: connection.username,
    DB_PASSWORD_FILE: path,
    JWT_SIGN_KEY: secret('only'),
    BCRYPT_COST: '4',
  }
  for (const WEB_CONCURRENCY of ['1', '2']) {
    const server = await startServer(t, { ...env, WEB_CONCURRENCY })
    const { client } = await signUp(server.url)
    const statuses = new Map<number, number>()
    let lastFailureAt = 0
    let isDone = false
    const load = Promise.all(
      Array.from({ length: 40 }, async () => {
        while (!isDone) {
          const sentAt = performance.now()
          const { statusCode } = await client.post('v1/posts', { json: { text: 'still here' } })
          statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
          if (statusCode >= 400) lastFailureAt = Math.max(lastFailureAt, sentAt)
        }
      }),
    )
    const password = `password ${WEB_CONCURRENCY}`
    await setUser(connection.username, password)
    await delay(3_000)
    await files.write('password', password)
    const writtenAt = performance.now()
    await delay(8_000)
    isDone = true
    await load
    t.comment(WEB_CONCURRENCY, Object.fromEntries(statuses), `last failure ${lastFailureAt - writtenAt} ms after`)
    t.same(
      [...statuses.keys()].filter((status) => status !== 201 && status !== 503),
      [],
    )
    t.ok(lastFailureAt - writtenAt < 6_000)
    t.ok((await client.get('v1/account')).statusCode === 200)
    const { out } = await server.kill('SIGTERM')
    t.notOk(out.includes(password))
  }
})
