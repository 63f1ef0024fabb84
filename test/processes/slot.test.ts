import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { fakeWorkers } from './fake-workers.ts'

t.test('a worker that exits is replaced at once, then with a growing back-off', async (t) => {
  const { started, lines, replaced, until, slot } = fakeWorkers(t)
  for (const wait of [0, 100, 200, 400]) {
    const count = started.length
    const exitedAt = performance.now()
    started.at(-1)?.exit(count === 2 ? 1 : 'SIGKILL')
    await until(count + 1)
    const waited = (started.at(-1)?.at ?? 0) - exitedAt
    t.ok(waited >= wait - 5, `${waited} ms, ${wait} at least`)
  }
  const [first, second] = lines.map((line) => JSON.parse(line))
  t.match(first, { msg: /^worker exited unexpectedly/, role: 'writer', workerPid: 1, exitStatus: 'SIGKILL' })
  t.match(second, { workerPid: 2, exitStatus: 1, startError: 'the reason' })
  t.same(
    started[3]?.orphanedSessions,
    ['session 1', 'session 2', 'session 3'],
    'each gets the sessions of every worker before it',
  )
  t.same(replaced, Array(4).fill('exited'))
  await slot.stop()
  t.equal(started.length, 5, 'a stopped worker is not replaced')
})

t.test('stop() during a back-off starts no further worker', async (t) => {
  const { started, until, slot } = fakeWorkers(t)
  started[0]?.exit('SIGKILL')
  await until(2)
  started[1]?.exit('SIGKILL')
  await delay(20)
  await slot.stop()
  await delay(200)
  t.equal(started.length, 2)
})

t.test('replace() stops a worker when another is ready, and the other one is then supervised', async (t) => {
  const { started, until, slot, lines } = fakeWorkers(t)
  const replacing = slot.replace()
  await until(2)
  await delay(20)
  t.same(started[0]?.stops, [], 'not before')
  started[1]?.ready.resolve('a url')
  t.equal(await replacing, 0)
  t.same(started[0]?.stops, [true])
  await delay(150)
  t.equal(started.length, 2, 'its exit was expected')
  t.same(lines, [])
  started[1]?.exit('SIGKILL')
  await until(3)
  t.match(JSON.parse(lines[0] ?? '{}'), { msg: /^worker exited unexpectedly/, workerPid: 2 })
  await slot.stop()
})

t.test('replace() keeps the worker when the other one cannot start', async (t) => {
  const { started, slot } = fakeWorkers(t)
  const replacing = slot.replace()
  started[1]?.exit(1)
  await t.rejects(replacing, { message: 'ended before it was ready' })
  t.same(started[0]?.stops, [])
  await slot.stop()
  t.equal(started.length, 2)
})

t.test('a worker that exits while its successor starts leaves one worker', async (t) => {
  const { started, until, slot } = fakeWorkers(t)
  const replacing = slot.replace()
  started[0]?.exit('SIGKILL')
  await delay(100)
  t.equal(started.length, 2, 'no third one starts beside the successor')
  started[1]?.ready.resolve('a url')
  await replacing
  await delay(100)
  t.equal(started.length, 2)
  t.same(started[1]?.stops, [])
  started[1]?.exit('SIGKILL')
  await until(3)
  await slot.stop()
})

t.test('a worker that exits while its successor fails to start is replaced', async (t) => {
  const { started, until, slot } = fakeWorkers(t)
  const replacing = slot.replace()
  started[0]?.exit('SIGKILL')
  await delay(50)
  started[1]?.exit(1)
  await t.rejects(replacing)
  await until(3)
  await slot.stop()
  t.equal(started.length, 3)
})

t.test('a worker that still starts when its successor is ready is killed, never stopped later', async (t) => {
  const { started, until, slot } = fakeWorkers(t)
  started[0]?.exit('SIGKILL')
  await until(2)
  const replacing = slot.replace()
  await until(3)
  started[2]?.ready.resolve('a url')
  await replacing
  t.same(started[1]?.stops, [])
  t.same(started[2]?.stops, [])
  await slot.stop()
})

t.test('new secrets reach the worker that starts as a successor, too', async (t) => {
  const { started, slot } = fakeWorkers(t)
  const replacing = slot.replace()
  await slot.updateSecrets({})
  t.same(
    started.map(({ updates }) => updates),
    [1, 1],
  )
  started[1]?.ready.resolve('a url')
  await replacing
  await slot.stop()
})

t.test('replace() after stop() starts nothing', async (t) => {
  const { started, slot } = fakeWorkers(t)
  await slot.stop()
  t.equal(await slot.replace(), 0)
  t.equal(started.length, 1)
})

t.test('stop() during replace() stops both', async (t) => {
  const { started, slot } = fakeWorkers(t)
  const replacing = slot.replace().catch(() => 'not replaced')
  await slot.stop()
  t.same([started[0]?.stops, started[1]?.stops], [[false], [false]])
  await replacing
  t.equal(started.length, 2)
})
