import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { processesWith } from '../database/fixtures/processes.ts'
import { eventually } from '../eventually.ts'
import { client, kill, portOf, startElsewhere, startHere } from './fixtures/server.ts'

const options = { skip: process.platform === 'linux' ? false : 'needs /proc' }

async function mongods(dataDir: string) {
  return (await processesWith(dataDir)).filter(
    (entry) => entry.program.endsWith('mongod') || /mongod-/.test(entry.program),
  )
}

const noMongod = (dataDir: string) => async () => (await mongods(dataDir)).length === 0

/** The pids of mongod's parent shell and of the guard. */
async function guardPids(server: { pid: number }, dataDir: string) {
  const shells = (await processesWith(dataDir)).filter((entry) => entry.program.endsWith('sh'))
  const outer = shells.find((entry) => entry.parent === server.pid)
  const guard = shells.find((entry) => entry.parent === outer?.pid)
  if (!outer || !guard) throw new Error('no guard')
  return { outer: outer.pid, guard: guard.pid }
}

async function killMongod(dataDir: string): Promise<void> {
  for (const { pid } of await mongods(dataDir)) process.kill(pid, 'SIGKILL')
}

async function insert(t: Test, uri: string): Promise<void> {
  await client(t, uri)
    .db('rookery')
    .collection('things')
    .insertOne({ kept: true }, { writeConcern: { w: 'majority' } })
}

async function expectData(t: Test, uri: string): Promise<void> {
  t.match(await client(t, uri).db('rookery').collection('things').findOne(), { kept: true }, 'the data is there')
}

/** After `harm`, mongod is replaced by exactly one other, and an existing client can write again. */
async function expectRecovery(t: Test, uri: string, dataDir: string, harm: () => Promise<void>): Promise<void> {
  const before = await mongods(dataDir)
  const things = client(t, uri).db('rookery').collection('things')
  await things.insertOne({ kept: true })
  await harm()
  const replaced = async () => {
    const now = await mongods(dataDir)
    return now.length === 1 && now[0]?.pid !== before[0]?.pid
  }
  await t.resolves(eventually(replaced), 'mongod is replaced')
  const write = () =>
    things.insertOne({ again: true }).then(
      () => true,
      () => false,
    )
  await t.resolves(eventually(write), 'an existing client writes again')
  t.equal(await things.countDocuments(), 2)
}

test('mongod is restarted after kill -9, and existing clients can write again', options, async (t) => {
  const dataDir = t.testdir()
  const { uri, logged } = await startHere(t, dataDir)
  await expectRecovery(t, uri, dataDir, () => killMongod(dataDir))
  t.match(logged.slice(1), [/exited unexpectedly \(exit code 137\)/])
  await t.resolves(eventually(() => logged.some((line) => /is running again/.test(line))))
})

test('a mongod that fails to start is retried until it starts, and the reason is logged', options, async (t) => {
  const dataDir = t.testdir()
  const { uri, logged } = await startHere(t, dataDir)
  await insert(t, uri)
  const key = join(dataDir, 'mongod', 'key')
  await chmod(key, 0o644)
  await killMongod(dataDir)
  await t.resolves(eventually(() => logged.some((line) => /does not start: .*security key/.test(line))))
  await chmod(key, 0o600)
  await expectData(t, uri)
})

test('mongod is replaced after kill -9 of its parent shell or of its guard', options, async (t) => {
  const dataDir = t.testdir()
  const server = await startElsewhere(t, dataDir)
  const { outer, guard } = await guardPids(server, dataDir)
  t.not(outer, guard)
  await t.test('mongod’s parent', (t) =>
    expectRecovery(t, server.uri, dataDir, async () => void process.kill(outer, 'SIGKILL')),
  )
  const next = await guardPids(server, dataDir)
  await client(t, server.uri).db('rookery').dropDatabase()
  await t.test('the guard', (t) =>
    expectRecovery(t, server.uri, dataDir, async () => void process.kill(next.guard, 'SIGKILL')),
  )
})

test('mongod exits after kill -9 of the server, and the data is kept', options, async (t) => {
  const dataDir = t.testdir()
  const server = await startElsewhere(t, dataDir)
  await insert(t, server.uri)
  await kill(server)
  await t.resolves(eventually(noMongod(dataDir)), 'no mongod remains')
  // Its shells exit a moment later.
  const nothing = async () => (await processesWith(dataDir)).length === 0
  await t.resolves(eventually(nothing), 'no other process remains')
  await expectData(t, (await startHere(t, dataDir)).uri)
})

test('a start right after kill -9 of the server waits for its mongod and keeps the port', options, async (t) => {
  const dataDir = t.testdir()
  const server = await startElsewhere(t, dataDir)
  await insert(t, server.uri)
  await kill(server)
  const next = await startHere(t, dataDir)
  t.equal(next.uri, server.uri, 'on the same port')
  await expectData(t, next.uri)
})

test('a start after kill -9 of both the server and mongod finds the data', options, async (t) => {
  const dataDir = t.testdir()
  const server = await startElsewhere(t, dataDir)
  await insert(t, server.uri)
  await Promise.all([kill(server), killMongod(dataDir)])
  await expectData(t, (await startHere(t, dataDir)).uri)
})

test(
  'after kill -9 of the server and the guard, the next start shuts down the remaining mongod',
  options,
  async (t) => {
    const dataDir = t.testdir()
    const server = await startElsewhere(t, dataDir)
    await insert(t, server.uri)
    const { guard } = await guardPids(server, dataDir)
    process.kill(guard, 'SIGKILL')
    await kill(server)
    await expectData(t, (await startHere(t, dataDir)).uri)
  },
)

test('a start during a shutdown waits for it, and no process remains after close', options, async (t) => {
  const dataDir = t.testdir()
  const server = await startElsewhere(t, dataDir)
  await insert(t, server.uri)
  server.child.kill('SIGTERM')
  await once(server.child.stderr, 'data')
  const next = await startHere(t, dataDir)
  t.match(next.logged[0], /Waiting for the previous server/)
  await expectData(t, next.uri)
  await next.close()
  t.same(await processesWith(dataDir), [])
})

test('when another program has taken the port, mongod moves to another one and keeps it', options, async (t) => {
  const dataDir = t.testdir()
  const first = await startHere(t, dataDir)
  await insert(t, first.uri)
  await first.close()
  const otherProgram = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  t.teardown(() => otherProgram.close())
  await new Promise<void>((resolve) => otherProgram.listen(portOf(first.uri), '127.0.0.1', resolve))

  const second = await startHere(t, dataDir)
  t.not(second.uri, first.uri)
  await expectData(t, second.uri)
  await second.close()
  t.equal((await startHere(t, dataDir)).uri, second.uri, 'the new port is kept')
})
