import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { passwordService } from '../../src/credentials/password-service.ts'
import { eventually } from '../eventually.ts'
import { makeClient, password, signUp, testConfig, testServer } from '../helper.ts'

type Credential = { version: number; password: { bcrypt: string } }

const ticket = { signal: new AbortController().signal, key: '192.0.2.1' }

/** The CPU time of this process during the work, in milliseconds; other processes do not affect it. */
async function cpuTimeMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  return process.cpuUsage(before).user / 1000
}

t.test('an unknown name costs as much CPU time as a wrong password', async (t) => {
  const { hash, verify } = passwordService({ cost: 11, peppers: [], processes: 1 })
  const stored = await hash(password, 'a', ticket)
  await verify(password, 'a', undefined, ticket)
  const known = await cpuTimeMs(() => verify('wrong', 'a', { version: 1, password: stored }, ticket))
  const unknown = await cpuTimeMs(() => verify('wrong', 'a', undefined, ticket))
  t.ok(unknown > known / 3 && unknown < known * 3, `unknown ${unknown}, known ${known}`)
  const baseline = await cpuTimeMs(async () =>
    verify('', 'a', undefined, { ...ticket, signal: AbortSignal.abort() }).catch(() => undefined),
  )
  t.ok(baseline < known / 3, `no verification takes ${baseline}`)
})

t.test('a hash of another cost is replaced at the next login with the right password, and only then', async (t) => {
  const { url, db, connection } = await testServer(t)
  const { username } = await signUp(url)
  const credentials = db.collection<Credential>('credentials')
  const before = await credentials.findOne()
  const other = await buildApp(await testConfig(connection, { BCRYPT_COST: '5', LOG_LEVEL: 'silent' }), connection)
  t.teardown(() => other.close())
  const second = await other.listen({ host: '127.0.0.1', port: 0 })
  const logIn = async (url: string, password: string) =>
    (await makeClient(url).post('v1/session', { json: { username, password } })).statusCode
  t.match(before?.password.bcrypt, /^\$2b\$04\$/)
  t.equal(await logIn(second, 'a wrong password'), 401)
  t.same((await credentials.findOne())?.password, before?.password, 'not by a wrong password')
  t.equal(await logIn(url, password), 200)
  t.same((await credentials.findOne())?.password, before?.password, 'not at the same cost')
  t.equal(await logIn(second, password), 200)
  const after = await credentials.findOne()
  t.match(after, { version: before?.version, password: { bcrypt: /^\$2b\$05\$/ } })
  t.equal(await logIn(second, password), 200)
  t.same((await credentials.findOne())?.password, after?.password, 'only once')
  t.equal(await logIn(url, password), 200, 'both servers accept the password')
  t.match((await credentials.findOne())?.password.bcrypt, /^\$2b\$04\$/)
})

t.test('reads are answered while logins are hashed', async (t) => {
  const { app, url } = await testServer(t, { BCRYPT_COST: '9' })
  // Several accounts, because the logins of one account run one after another.
  const users = await Promise.all(Array.from({ length: 10 }, () => signUp(url)))
  const order: string[] = []
  const arrived = new Promise<void>((resolve) => {
    let count = 0
    app.server.on('request', () => ++count === 40 && resolve())
  })
  const four = [...users, ...users, ...users, ...users]
  const logins = four.map(async ({ username }) => {
    const { statusCode } = await makeClient(url).post('v1/session', { json: { username, password } })
    order.push('login')
    return statusCode
  })
  await arrived
  const paths = ['v1/posts', `v1/accounts/${users[0]?.username}`, 'health/live', 'health/ready', 'openapi.json']
  const reads = paths.map(async (path) => {
    const { statusCode } = await makeClient(url).get(path)
    order.push('read')
    return statusCode
  })
  t.same(await Promise.all(reads), Array(paths.length).fill(200))
  t.same(await Promise.all(logins), Array(40).fill(200))
  t.equal(order.at(-1), 'login', 'all reads were answered before the last login')
})

t.test('no password is hashed for clients that have disconnected', async (t) => {
  const { app, url } = await testServer(t, { BCRYPT_COST: '11' })
  const { username } = await signUp(url)
  const body = JSON.stringify({ username, password })
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
  let [arrived, closed] = [0, 0]
  app.server.on('request', (request) => {
    arrived += 1
    request.socket.on('close', () => (closed += 1))
  })
  /** Starts 30 logins and disconnects after a while, when they are at different stages. */
  const disconnect = async (afterMs: number) => {
    ;[arrived, closed] = [0, 0]
    const gone = new AbortController()
    const requests = Array.from({ length: 30 }, () =>
      fetch(`${url}/v1/session`, { ...options, signal: gone.signal }).catch(() => undefined),
    )
    await eventually(() => arrived >= 30, { everyMs: 1 })
    await setTimeout(afterMs)
    gone.abort()
    await Promise.all(requests)
    await eventually(() => closed >= 30, { everyMs: 1 })
  }
  const logIn = () => makeClient(url).post('v1/session', { json: { username, password } })
  const one = await cpuTimeMs(logIn)
  for (const afterMs of [0, 20, 100]) {
    // The queue is in order: all earlier hashes have been computed when this login is answered.
    const all = await cpuTimeMs(async () => {
      await disconnect(afterMs)
      t.equal((await logIn()).statusCode, 200)
    })
    t.ok(all < 20 * one, `disconnected after ${afterMs} ms: the work of ${(all / one).toFixed(1)} logins, not of 31`)
  }
})

t.test('256 logins at once all succeed when hashing can do them in 15 s', async (t) => {
  const { url } = await testServer(t, { BCRYPT_COST: '6' })
  const { username } = await signUp(url)
  const names = [
    username,
    ...(await Promise.all(Array.from({ length: 15 }, () => signUp(url)))).map((user) => user.username),
  ]
  const logins = Array.from({ length: 256 }, async (_, n) => {
    const json = { username: names[n % names.length], password }
    const { statusCode, body } = await makeClient(url).post<{ code: string }>('v1/session', { json })
    // A busy machine's database may be too slow: that is not what is tested here.
    return statusCode === 503 ? body.code : statusCode
  })
  const outcomes = new Set(await Promise.all(logins))
  t.ok(outcomes.has(200))
  t.notOk(outcomes.has('overloaded'), [...outcomes].join())
})
