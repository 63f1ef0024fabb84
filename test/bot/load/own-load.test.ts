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

t.test('steal is a fraction of all ticks between two samples, and null where there is no /proc/stat', async (t) => {
  const stats = ['cpu  10 0 10 70 0 0 0 10 5 0\ncpu0 1', 'cpu  20 0 20 130 0 0 0 30 9 0\ncpu0 1']
  const own = measureOwnLoad(() => stats.shift() ?? null)
  t.teardown(() => own.stop())
  t.equal(own.sample().steal, 0.2)
  t.equal(own.sample().steal, null)
})

t.test('CPU is a fraction of one core', async (t) => {
  const own = measureOwnLoad()
  t.teardown(() => own.stop())
  const before = process.cpuUsage()
  const at = performance.now()
  while (process.cpuUsage(before).user < 20_000);
  const { cpu } = own.sample()
  t.ok(cpu >= 19 / (performance.now() - at), `${cpu}`)
})
