import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import t from 'tap'
import { superviseSlot } from '../../src/processes/slot.ts'
import type { WorkerExit, WorkerHandle } from '../../src/processes/worker-handle.ts'
import { eventually } from '../eventually.ts'

/** Worker handles without processes: each exits when the test says so. */
function fakes() {
  const started: { at: number; orphanedSessions: readonly string[]; exit: (status: number | string) => void }[] = []
  const fork = (orphanedSessions: readonly string[]): WorkerHandle => {
    const exited = Promise.withResolvers<WorkerExit>()
    const exit = (status: number | string) =>
      exited.resolve({ status, startError: status === 1 ? 'the reason' : undefined })
    started.push({ at: performance.now(), orphanedSessions, exit })
    const sessions = new Set([`session ${started.length}`])
    const stop = () => exit(0)
    const metrics = async () => undefined
    return {
      pid: started.length,
      ready: Promise.resolve('a url'),
      exited: exited.promise,
      sessions,
      metrics,
      updateSecrets: async () => undefined,
      stop,
      kill: stop,
    }
  }
  const lines: string[] = []
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) })
  const until = (count: number) => eventually(() => started.length >= count, { everyMs: 5 })
  return { started, lines, until, slot: superviseSlot('writer', fork, log) }
}

t.test('a worker that dies is replaced at once, then with a growing back-off', async (t) => {
  const { started, lines, until, slot } = fakes()
  for (const wait of [0, 100, 200, 400]) {
    const count = started.length
    const died = performance.now()
    started.at(-1)?.exit(count === 2 ? 1 : 'SIGKILL')
    await until(count + 1)
    const waited = (started.at(-1)?.at ?? 0) - died
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
  await slot.stop()
  t.equal(started.length, 5, 'a stopped worker is not replaced')
})

t.test('stop() during a back-off starts no further worker', async (t) => {
  const { started, until, slot } = fakes()
  started[0]?.exit('SIGKILL')
  await until(2)
  started[1]?.exit('SIGKILL')
  await delay(20)
  await slot.stop()
  await delay(200)
  t.equal(started.length, 2)
})
