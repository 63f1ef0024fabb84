import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { freePort } from '../../src/processes/free-port.ts'
import { processesWith, timeUntil } from '../database/fixtures/processes.ts'
import { freshDatabase, makeClient } from '../helper.ts'
import { freshFolder, ServerProcess, takenPort } from '../main/server-process.ts'
import { people, pidsOf, startCluster } from './cluster.ts'
import { checkHammered, hammer } from './contention-load.ts'

t.test('four processes on one post', { timeout: 120_000 }, async (t) => {
  const TMPDIR = await freshFolder(t)
  const { server, url, db } = await startCluster(t, 4, { TMPDIR })
  t.equal((await pidsOf(server, 'api')).length, 4)
  t.equal((await pidsOf(server, 'writer')).length, 1)
  const crowd = await people(url, 32)
  const [ann] = crowd
  if (!ann) throw new Error('nobody signed up')
  const write = async (text: string) => (await ann.client.post<{ id: string }>('v1/posts', { json: { text } })).body.id
  const post = await write('Hot')

  t.test('counts are exact, and nobody is turned away', async (t) => {
    const until = performance.now() + 4_000
    const { memories, statuses, slowest } = await hammer(crowd, post, () => performance.now() > until)
    t.comment(`the slowest took ${Math.round(slowest)} ms`)
    t.same(Object.keys(statuses), ['200', '201'], `${JSON.stringify(statuses)}`)
    await checkHammered(t, db, { crowd, memories, post })
  })

  t.test('what is acknowledged by one process is seen by all at once', async (t) => {
    for (let n = 0; n < 20; n += 1) {
      const id = await write(`Seen ${n}`)
      // A connection for each: the primary hands them round.
      const readers = Array.from({ length: 4 }, () => makeClient(url).get(`v1/posts/${id}`))
      for (const { statusCode } of await Promise.all(readers)) t.equal(statusCode, 200)
    }
  })

  t.test('a Ctrl-C, which reaches all of them: what was begun is finished, and nothing is left', async (t) => {
    t.equal((await readdir(TMPDIR)).length, 1, 'the folder of the socket between them')
    const statuses: (number | string)[] = []
    const writers = crowd.map(async ({ client }, n) => {
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
    // A writer that had ended before a front would show as a database that does not answer.
    t.same(unforeseen, [], 'each was refused politely, or met a closed port')
    t.same(await readdir(TMPDIR), [], 'nor the socket between them')
    const authors = await db
      .collection('posts')
      .aggregate([{ $group: { _id: '$author', n: { $sum: 1 } } }])
      .toArray()
    for (const { _id, n } of authors) {
      t.equal((await db.collection('accountCounts').findOne({ _id }))?.posts, n, 'counts are exact')
    }
  })
})

t.test('the primary is killed: all of it ends', async (t) => {
  const { server } = await startCluster(t, 2)
  const parent = server.child.pid
  const pids = [...(await pidsOf(server, 'api')), ...(await pidsOf(server, 'writer'))]
  t.equal(pids.length, 3)
  await server.kill('SIGKILL')
  const left = async () =>
    [...(await processesWith('api')), ...(await processesWith('writer'))].filter(({ pid }) => pids.includes(pid))
  t.ok((await timeUntil(async () => (await left()).length === 0, 10_000)) < 10_000, `the children of ${parent} end`)
})

t.test('the primary is killed while it hands over connections: nobody complains of it', async (t) => {
  const { server, url } = await startCluster(t, 2)
  const fronts = await pidsOf(server, 'api')
  t.equal(fronts.length, 2)
  for (const pid of fronts) process.kill(pid, 'SIGSTOP')
  for (let n = 0; n < 8; n += 1) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
  }
  await delay(500)
  server.child.kill('SIGKILL')
  await delay(200)
  // Now they take over what was handed to them, and there is nobody to tell.
  for (const pid of fronts) process.kill(pid, 'SIGCONT')
  // It has ended when none of its children holds its output any more.
  t.match(await server.ended, { signal: 'SIGKILL', error: '' })
})

t.test('a signal while they are starting: all of it ends in order', async (t) => {
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

t.test('faults at the start are told once, in words', async (t) => {
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
      'a taken port',
      { PORT: taken },
      `PORT ${taken} on 127.0.0.1 is already in use: stop the process that listens there, or set PORT.\n`,
    ],
    [
      'a wrong password',
      { DB_PASSWORD: 'wrong' },
      /^MongoDB at \S+ refuses the user \S+: check DB_USER and DB_PASSWORD.\n$/,
    ],
    [
      'no folder for the socket',
      { TMPDIR: '/nowhere' },
      /^WEB_CONCURRENCY above 1 needs a directory for a socket, .*\(ENOENT\).*\n$/,
    ],
    ['a bad number', { WEB_CONCURRENCY: '65' }, /WEB_CONCURRENCY must be a whole number from 1 to 64/],
    [
      'a taken port for metrics',
      { METRICS_PORT: taken },
      new RegExp(`^METRICS_PORT ${taken} .* cannot be listened on`),
    ],
  ] as const) {
    const ended = await new ServerProcess(t, { ...env, ...faulty }).ended
    t.match(ended, { code: 1, error: says }, what)
    t.equal(ended.error.trim().split('\n').length, what === 'a bad number' ? 2 : 1)
  }
})

t.test('metrics are those of all processes together', async (t) => {
  const METRICS_PORT = String(await freePort('127.0.0.1'))
  const { url } = await startCluster(t, 3, { METRICS_PORT })
  for (let n = 0; n < 12; n += 1) await makeClient(url).get('health/live', { headers: { connection: 'close' } })
  t.equal(await liveCount(METRICS_PORT), 12)
  const together = await Promise.all(Array.from({ length: 20 }, () => liveCount(METRICS_PORT)))
  t.same(new Set(together), new Set([12]))
})

t.test('a process that hangs: the others tell their metrics, and it does not outlive the primary', async (t) => {
  const METRICS_PORT = String(await freePort('127.0.0.1'))
  const TMPDIR = await freshFolder(t)
  const { server } = await startCluster(t, 2, { METRICS_PORT, TMPDIR })
  const [front] = await pidsOf(server, 'api')
  if (!front) throw new Error('there is no front')
  process.kill(front, 'SIGSTOP')
  const answer = await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)
  t.equal(answer.status, 200)
  t.match(await answer.text(), 'nodejs_version_info')
  const ended = await server.kill('SIGTERM')
  t.match(ended, { code: 1, signal: null, error: '' }, 'it was waited for, and then no longer')
  const isGone = async () => (await processesWith('api')).every(({ pid }) => pid !== front)
  t.ok((await timeUntil(isGone, 5_000)) < 5_000)
  t.same(await readdir(TMPDIR), [])
})

async function liveCount(port: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const count = /http_request_duration_seconds_count\{method="GET",route="\/health\/live",status="200"\} (\d+)/.exec(
    text,
  )
  return Number(count?.[1])
}
