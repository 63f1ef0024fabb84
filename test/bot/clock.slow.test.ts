import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import t from 'tap'
import { clockStep, steppableClock } from '../../bot/chaos/clock.ts'

const hourMs = 3_600_000

const program = `
  process.stdin.on('data', () => {
    const kinds = new Date() instanceof Date && new Date(5).getTime() === 5 && !Number.isNaN(Date.parse(Date()))
    console.log(JSON.stringify({ now: Date.now(), created: new Date().getTime(), monotonic: performance.now(), kinds }))
  })
`

t.test('a step shifts Date in a running process, forward and back, and nothing else', async (t) => {
  const clock = steppableClock(t.testdir())
  const child = spawn(process.execPath, ['-e', program], { env: { ...process.env, ...clock.settings } })
  t.teardown(() => {
    child.kill()
    clock.close()
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const ask = async () => {
    const before = Date.now()
    child.stdin.write('?\n')
    const answer = JSON.parse((await lines.next()).value ?? '{}')
    return { before, after: Date.now(), ...answer }
  }
  let lastMonotonic = 0
  for (const stepMs of [0, 3 * hourMs, -3 * hourMs, 0]) {
    clock.step(stepMs)
    const { before, after, now, created, monotonic, kinds } = await ask()
    for (const time of [now, created])
      t.ok(time >= before + stepMs && time <= after + stepMs, `${time - before - stepMs} ms after the question`)
    t.ok(monotonic >= lastMonotonic && monotonic < lastMonotonic + hourMs)
    t.ok(kinds)
    lastMonotonic = monotonic
  }
})

t.test('the fault steps by hours and by seconds, in both directions, and back to the right time', async (t) => {
  const steps: number[] = []
  const begin = clockStep({ step: (ms) => void steps.push(ms) })
  for (let n = 0; n < 4; n += 1) {
    const fault = await begin(AbortSignal.timeout(60_000))
    await fault?.end()
  }
  t.same(steps, [3 * hourMs, 0, -3 * hourMs, 0, 30_000, 0, -30_000, 0])
})
