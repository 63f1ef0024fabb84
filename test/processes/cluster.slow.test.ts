import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { freePort } from '../../src/processes/free-port.ts'
import { processesWith } from '../database/fixtures/processes.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, makeClient } from '../helper.ts'
import { freshFolder, ServerProcess, takenPort } from '../main/server-process.ts'
import { pidsOf, signUpUsers, startCluster } from './cluster.ts'
import { expectExactState, runContention } from './contention-load.ts'

t.test('four API processes under writes to one post', { timeout: 120_000 }, async (t) => {
  const TMPDIR = await freshFolder(t)
  const { server, url, db } = await startCluster(t, 4, { TMPDIR })
  t.equal((await pidsOf(server, 'api')).length, 4)
  t.equal((await pidsOf(server, 'writer')).length, 1)
  const users = await signUpUsers(url, 32)
  const [ann] = users
  if (!ann) throw new Error('no account')
  const write = async (text: string) => (await ann.client.post<{ id: string }>('v1/posts', { json: { text } })).body.id
  const post = await write('Hot')

  t.test('counts are exact, and every write is accepted', async (t) => {
    const until = performance.now() + 4_000
    const { acknowledged, statuses, slowest } = await runContention(users, post, () => performance.now() > until)
    t.comment(`the slowest took ${Math.round(slowest)} ms`)
    t.same(Object.keys(statuses), ['200', '201'], `${JSON.stringify(statuses)}`)
    await expectExactState(t, db, { users, acknowledged, post })
  })

  t.test('a post that one process acknowledged is visible in all of them at once', async (t) => {
    for (let n = 0; n < 20; n += 1) {
      const id = await write(`Seen ${n}`)
      // One connection each: the primary distributes them.
      const readers = Array.from({ length: 4 }, () => makeClient(url).get(`v1/posts/${id}`))
      for (const { statusCode } of await Promise.all(readers)) t.equal(statusCode, 200)
    }
  })

  t.test('SIGINT to all processes at once: requests in flight are finished, and nothing remains', async (t) => {
    t.equal((await readdir(TMPDIR)).length, 1, 'the directory of the socket')
    const statuses: (number | string)[] = []
    const writers = users.map(async ({ client }, n) => {
      for (let sent = 0; ; sent += 1) {
        const answer = await client
          .post('v1/posts', { json: { text: `Last words ${n} ${sent}` } })
          .catch((error: { code: string }) => error)
        if (!('statusCode' in answer)) return void statuses.push(answer.code)
        const { code } = answer.body as { code?: string }
        if (answer.statusCode !== 201) return void statuses.push(`${answer.statusCode} ${code}`)
      }
    })
    await delay(500)
    const all = [...(await pidsOf(server, 'api')), ...(await pidsOf(server, 'writer')), server.child.pid ?? 0]
    for (const pid of all) process.kill(pid, 'SIGINT')
    await Promise.all(writers)
    t.match(await server.ended, { code: 0, signal: null, error: '' })
    const unforeseen = statuses.filter(
      (status) => status !== '503 overloaded' && status !== 'ECONNREFUSED' && status !== 'ECONNRESET',
    )
    // If the writer process stopped before an API process, it would answer 503 database-unavailable.
    t.same(unforeseen, [], 'each got 503 overloaded, or a closed port')
    t.same(await readdir(TMPDIR), [], 'the socket is deleted')
    const authors = await db
      .collection('posts')
      .aggregate([{ $group: { _id: '$author', n: { $sum: 1 } } }])
      .toArray()
    for (const { _id, n } of authors) {
      t.equal((await db.collection('accountCounts').findOne({ _id }))?.posts, n, 'counts are exact')
    }
  })
})

t.test('all workers exit within 10 s after the primary is killed', async (t) => {
  const { server } = await startCluster(t, 2)
  const parent = server.child.pid
  const pids = [...(await pidsOf(server, 'api')), ...(await pidsOf(server, 'writer'))]
  t.equal(pids.length, 3)
  await server.kill('SIGKILL')
  const left = async () =>
    [...(await processesWith('api')), ...(await processesWith('writer'))].filter(({ pid }) => pids.includes(pid))
  await t.resolves(
    eventually(async () => (await left()).length === 0),
    `the children of ${parent} end`,
  )
})

t.test('workers log no error when the primary is killed while it distributes connections', async (t) => {
  const { server, url } = await startCluster(t, 2)
  const apiPids = await pidsOf(server, 'api')
  t.equal(apiPids.length, 2)
  for (const pid of apiPids) process.kill(pid, 'SIGSTOP')
  for (let n = 0; n < 8; n += 1) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
  }
  await delay(500)
  server.child.kill('SIGKILL')
  await delay(200)
  // Now they accept the connections, and cannot acknowledge them to the primary.
  for (const pid of apiPids) process.kill(pid, 'SIGCONT')
  // Its output closes only when all of its children have exited.
  t.match(await server.ended, { signal: 'SIGKILL', error: '' })
})

t.test('SIGTERM during the start of a cluster exits with 0', async (t) => {
  const { connection } = await freshDatabase(t)
  const server = new ServerProcess(t, {
    WEB_CONCURRENCY: '3',
    MONGODB_URI: connection.uri,
    DB_USER: connection.username,
    DB_PASSWORD: connection.password,
    JWT_SIGN_KEY: 'one that is long enough: 0123456789abcdef',
  })
  await server.says(/Process \d+ listens/)
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0, signal: null, error: '' })
})

t.test('a fault at the start of a cluster is reported once, as a sentence', async (t) => {
  const { connection } = await freshDatabase(t)
  const env = {
    WEB_CONCURRENCY: '3',
    MONGODB_URI: connection.uri,
    DB_USER: connection.username,
    DB_PASSWORD: connection.password,
    JWT_SIGN_KEY: 'one that is long enough: 0123456789abcdef',
  }
  const taken = await takenPort(t)
  for (const [what, faulty, says] of [
    [
      'a port in use',
      { PORT: taken },
      `PORT ${taken} on 127.0.0.1 is already in use: stop the process that listens there, or set PORT.\n`,
    ],
    [
      'a wrong password',
      { DB_PASSWORD: 'wrong' },
      /^MongoDB at \S+ refuses the user \S+: check DB_USER and DB_PASSWORD.\n$/,
    ],
    [
      'no directory for the socket',
      { TMPDIR: '/nowhere' },
      /^WEB_CONCURRENCY above 1 needs a directory for a socket, .*\(ENOENT\).*\n$/,
    ],
    ['a bad number', { WEB_CONCURRENCY: '65' }, /WEB_CONCURRENCY must be a whole number from 1 to 64/],
    ['a metrics port in use', { METRICS_PORT: taken }, new RegExp(`^METRICS_PORT ${taken} .* is not available`)],
  ] as const) {
    const ended = await new ServerProcess(t, { ...env, ...faulty }).ended
    t.match(ended, { code: /in use/.test(what) ? 69 : 78, error: says }, what)
    t.equal(ended.error.trim().split('\n').length, what === 'a bad number' ? 2 : 1)
  }
})

t.test('metrics are the sum over all processes', async (t) => {
  const METRICS_PORT = String(await freePort('127.0.0.1'))
  const { url } = await startCluster(t, 3, { METRICS_PORT })
  for (let n = 0; n < 12; n += 1) await makeClient(url).get('health/live', { headers: { connection: 'close' } })
  t.equal(await liveCount(METRICS_PORT), 12)
  const together = await Promise.all(Array.from({ length: 20 }, () => liveCount(METRICS_PORT)))
  t.same(new Set(together), new Set([12]))
})

t.test('with a hanging process, the metrics of the others are served, and SIGTERM ends all', async (t) => {
  const METRICS_PORT = String(await freePort('127.0.0.1'))
  const TMPDIR = await freshFolder(t)
  const { server } = await startCluster(t, 2, { METRICS_PORT, TMPDIR })
  const [hanging] = await pidsOf(server, 'api')
  if (!hanging) throw new Error('no API process')
  process.kill(hanging, 'SIGSTOP')
  const answer = await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)
  t.equal(answer.status, 200)
  t.match(await answer.text(), 'nodejs_version_info')
  const ended = await server.kill('SIGTERM')
  t.match(ended, { code: 0, signal: null, error: '' }, 'the watchdog kills what does not drain')
  const isGone = async () => (await processesWith('api')).every(({ pid }) => pid !== hanging)
  await t.resolves(eventually(isGone), 'the hanging process is gone')
  t.same(await readdir(TMPDIR), [])
})

t.test('the metrics of a cluster tell of its writer, its readiness and its workers', async (t) => {
  const METRICS_PORT = String(await freePort('127.0.0.1'))
  const { server, url } = await startCluster(t, 2, { METRICS_PORT })
  const [ann] = await signUpUsers(url, 1)
  await ann?.client.post('v1/posts', { json: { text: 'Hello' } })
  const read = async () => (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)).text()
  // On a busy machine a check may take longer than it is given.
  for (const line of [
    /^rookery_write_batch_commands_sum [1-9]/m,
    /^rookery_ready\{check="writer"\} 1$/m,
    /^rookery_ready\{check="database"\} 1$/m,
    /^rookery_worker_silence_seconds\{role="writer"\} \d/m,
    /^rookery_worker_silence_seconds\{role="api"\} \d/m,
  ])
    await t.resolves(
      eventually(async () => line.test(await read())),
      `${line}`,
    )
  const [writer = 0] = await pidsOf(server, 'writer')
  process.kill(writer, 'SIGSTOP')
  const replaced = 'rookery_worker_replacements_total{role="writer",reason="silent"} 1'
  await t.resolves(eventually(async () => (await read()).includes(replaced)))
})

async function liveCount(port: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const count = /http_request_duration_seconds_count\{method="GET",route="\/health\/live",status="200"\} (\d+)/.exec(
    text,
  )
  return Number(count?.[1])
}
