import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import t from 'tap'
import type { Child } from '../../src/processes/child.ts'
import { respawn } from '../../src/processes/respawn.ts'

/** Processes that exist only in name, and die when they are told to. */
function fakes() {
  const started: { at: number; abandoned: readonly string[]; die: (how: number | string) => void }[] = []
  const start = (abandoned: readonly string[]): Child => {
    const gone = Promise.withResolvers<{ how: number | string; fault: string | undefined }>()
    const die = (how: number | string) => gone.resolve({ how, fault: how === 1 ? 'the fault' : undefined })
    started.push({ at: performance.now(), abandoned, die })
    const sessions = new Set([`session ${started.length}`])
    const end = () => die(0)
    const metrics = async () => undefined
    return {
      pid: started.length,
      ready: Promise.resolve('a url'),
      gone: gone.promise,
      sessions,
      metrics,
      end,
      kill: end,
    }
  }
  const lines: string[] = []
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) })
  const until = async (count: number) => {
    while (started.length < count) await delay(5)
  }
  return { started, lines, until, place: respawn('writer', start, log) }
}

t.test('who dies is replaced, at first at once, then after a wait that grows', async (t) => {
  const { started, lines, until, place } = fakes()
  for (const wait of [0, 100, 200, 400]) {
    const count = started.length
    const died = performance.now()
    started.at(-1)?.die(count === 2 ? 1 : 'SIGKILL')
    await until(count + 1)
    const waited = (started.at(-1)?.at ?? 0) - died
    t.ok(waited >= wait - 5, `${waited} ms, ${wait} at least`)
  }
  t.match(lines[0], 'The writer process 1 ended unexpectedly (SIGKILL): starting another')
  t.match(lines[1], 'The writer process 2 ended unexpectedly (1, the fault): starting another')
  t.same(started[3]?.abandoned, ['session 1', 'session 2', 'session 3'], 'each is told of all sessions before it')
  await place.end()
  t.equal(started.length, 5, 'who is asked to end is not replaced')
})

t.test('nobody is started any more once it ends, be it in the middle of a wait', async (t) => {
  const { started, until, place } = fakes()
  started[0]?.die('SIGKILL')
  await until(2)
  started[1]?.die('SIGKILL')
  await delay(20)
  await place.end()
  await delay(200)
  t.equal(started.length, 2)
})
