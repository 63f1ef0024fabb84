import { createServer, type Socket } from 'node:net'
import t from 'tap'
import type { ReadinessCheck } from '../../src/operations/readiness.ts'
import { remoteWriter } from '../../src/write-operations.ts'
import { sendSignsOfLife } from '../../src/writer/ipc.ts'
import { trackProgress } from '../../src/writer/progress.ts'
import { writerChecks } from '../../src/writer/readiness.ts'
import { eventually } from '../eventually.ts'
import { socketPath } from './fixtures/socket-path.ts'

const isReady = (checks: readonly ReadinessCheck[], name: string) =>
  checks.find((check) => check.name === name)?.isReady(AbortSignal.timeout(1_000))

t.test('writes are not ready while a command has waited 2 s and none succeeds', async (t) => {
  const answers: (() => void)[] = []
  const progress = trackProgress(() => new Promise<void>((resolve) => answers.push(resolve)))
  const checks = writerChecks(progress)
  t.equal(isReady(checks, 'writes'), true, 'while nothing waits')
  const first = progress.submit()
  const second = progress.submit()
  t.equal(progress.waiting(), 2)
  t.equal(isReady(checks, 'writes'), true, 'at first')
  await eventually(() => progress.oldestWaitMs() >= 2_000)
  t.equal(isReady(checks, 'writes'), false)
  answers.pop()?.()
  await second
  t.equal(isReady(checks, 'writes'), true, 'another command has just succeeded')
  answers.pop()?.()
  await first
  t.equal(progress.waiting(), 0)
  t.equal(progress.oldestWaitMs(), 0)
})

t.test('a failed command is no success', async (t) => {
  const failures: unknown[] = []
  let reject = (_: Error) => {}
  const answers = [new Promise<void>(() => undefined), new Promise<void>((_, fail) => (reject = fail))]
  const progress = trackProgress(
    () => answers.shift() ?? Promise.resolve(),
    (error) => void failures.push(error),
  )
  void progress.submit()
  const failing = progress.submit()
  await eventually(() => progress.oldestWaitMs() >= 2_000)
  const error = new Error('refused')
  reject(error)
  await t.rejects(failing, error)
  t.same(failures, [error])
  t.equal(isReady(writerChecks(progress), 'writes'), false)
})

t.test('a writer process whose event loop gives no sign of life for 2 s is not ready until it does', async (t) => {
  const path = await socketPath(t)
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined))).listen(path)
  const writer = remoteWriter(path)
  t.teardown(() => {
    writer.close()
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await eventually(() => isReady(writer.checks, 'writer') === false)
  t.equal(sockets.length, 1, 'it is connected')
  for (const socket of sockets) sendSignsOfLife(socket)
  await eventually(() => isReady(writer.checks, 'writer') === true)
})
