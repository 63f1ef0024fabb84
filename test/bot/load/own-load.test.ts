import { spawn } from 'node:child_process'
import { availableParallelism, platform } from 'node:os'
import t from 'tap'
import { measureOwnLoad } from '../../../bot/load/own-load.ts'
import { eventually } from '../../eventually.ts'

t.test('a blocked event loop shows as its delay, in the sample that follows and in the p99', async (t) => {
  const own = measureOwnLoad()
  t.teardown(() => own.stop())
  own.sample()
  const end = performance.now() + 60
  while (performance.now() < end);
  t.ok(own.sample().loopDelayMs >= 49)
  await eventually(() => own.loopDelayP99() >= 48)
  own.reset()
  t.equal(own.loopDelayP99(), 0)
})

/** What /proc says at each reading of a file, and nothing after the last. */
function readings(all: Record<string, string[]>) {
  return (file: string) => all[file]?.shift() ?? null
}

t.test('steal is a fraction of all ticks between two samples, and null where there is no /proc/stat', async (t) => {
  const stat = ['cpu  10 0 10 70 0 0 0 10 5 0\ncpu0 1', 'cpu  20 0 20 130 0 0 0 30 9 0\ncpu0 1']
  const own = measureOwnLoad(readings({ stat }))
  t.teardown(() => own.stop())
  t.equal(own.sample().steal, 0.2)
  t.equal(own.sample().steal, null)
})

t.test(
  'waiting for a core is a fraction of the time between two samples, and null where Linux does not say',
  async (t) => {
    const own = measureOwnLoad(readings({ 'self/schedstat': ['9 1000000000 5', '9 1000000000 6', '9 1002000000 8'] }))
    t.teardown(() => own.stop())
    t.equal(own.sample().waiting, 0)
    const startedAt = performance.now()
    while (performance.now() < startedAt + 4);
    const { waiting } = own.sample()
    t.ok(waiting !== null && waiting > 0 && waiting <= 2 / 4, `2 ms of more than 4: ${waiting}`)
    t.equal(own.sample().waiting, null)
  },
)

t.test(
  'a busy process beside it for each core makes it wait for a core',
  { skip: platform() !== 'linux' },
  async (t) => {
    const loops = Array.from({ length: availableParallelism() * 2 }, () => spawn(process.execPath, ['-e', 'for (;;);']))
    t.teardown(() => {
      for (const loop of loops) loop.kill()
    })
    const own = measureOwnLoad()
    t.teardown(() => own.stop())
    await eventually(() => {
      const at = performance.now()
      while (performance.now() < at + 50);
      return (own.sample().waiting ?? 0) > 0.1
    })
  },
)

t.test('CPU is a fraction of one core', async (t) => {
  const own = measureOwnLoad()
  t.teardown(() => own.stop())
  const before = process.cpuUsage()
  const at = performance.now()
  while (process.cpuUsage(before).user < 20_000);
  const { cpu } = own.sample()
  t.ok(cpu >= 19 / (performance.now() - at), `${cpu}`)
})
