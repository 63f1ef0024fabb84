import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client'
import t from 'tap'
import type { ProcessMetrics } from '../../src/operations/metrics.ts'
import { type MeasuredProcess, metricsSum } from '../../src/operations/metrics-sum.ts'

/** A process with one counter, one histogram and one gauge, which answers until it ends or is told not to. */
function fakeProcess() {
  const registry = new Registry()
  const registers = [registry]
  const counter = new Counter({ name: 'requests_total', help: 'x', labelNames: ['route'], registers })
  const histogram = new Histogram({ name: 'seconds', help: 'x', buckets: [1], registers })
  const gauge = new Gauge({ name: 'waiting', help: 'x', registers })
  const gone = Promise.withResolvers<void>()
  let listener = (_: ProcessMetrics) => {}
  let isSilent = false
  const answer = async () => {
    // As a message between processes, the values do not change any more.
    const metrics = structuredClone(await registry.getMetricsAsJSON())
    listener(metrics)
    return metrics
  }
  const process: MeasuredProcess = {
    metrics: async () => (isSilent ? undefined : answer()),
    onMetrics(next) {
      listener = next
    },
    gone: gone.promise,
  }
  return {
    process,
    serve(route: string, requests: number) {
      counter.inc({ route }, requests)
      for (let n = 0; n < requests; n += 1) histogram.observe(0.5)
      gauge.set(requests)
    },
    beSilent() {
      isSilent = true
    },
    sendLast: answer,
    async end() {
      isSilent = true
      gone.resolve()
      await gone.promise
    },
  }
}

const textOf = (parts: ProcessMetrics[]) => AggregatorRegistry.aggregate(parts).metrics()

t.test('the counters and histograms of processes that ended stay in the sum, their gauges do not', async (t) => {
  const sum = metricsSum()
  const [first, second, third] = [fakeProcess(), fakeProcess(), fakeProcess()]
  for (const { process } of [first, second]) sum.add(process)
  first.serve('/a', 3)
  second.serve('/a', 4)
  second.serve('/b', 5)
  const before = await textOf(await sum.collect([first.process, second.process]))
  t.match(before, 'requests_total{route="/a"} 7')
  t.match(before, 'waiting 8')

  first.serve('/a', 10)
  await first.sendLast()
  await first.end()
  // A crash: what it counted since the last scrape is not known.
  second.serve('/a', 100)
  await second.end()
  sum.add(third.process)
  third.serve('/a', 1)
  const after = await textOf(await sum.collect([third.process]))
  t.match(after, 'requests_total{route="/a"} 18')
  t.match(after, 'requests_total{route="/b"} 5')
  t.match(after, 'seconds_bucket{le="1"} 23')
  t.match(after, 'seconds_count 23')
  t.match(after, 'seconds_sum 11.5')
  t.match(after, /^waiting 1$/m)
})

t.test('a process that does not answer keeps its last counters in the sum', async (t) => {
  const sum = metricsSum()
  const { process, serve, beSilent } = fakeProcess()
  sum.add(process)
  serve('/a', 3)
  await sum.collect([process])
  beSilent()
  const text = await textOf(await sum.collect([process]))
  t.match(text, 'requests_total{route="/a"} 3')
  t.notMatch(text, 'waiting')
})

t.test('a process that ends while others still answer counts once', async (t) => {
  const sum = metricsSum()
  const [ending, slow] = [fakeProcess(), fakeProcess()]
  const asked = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const first = { ...ending.process, metrics: () => ending.process.metrics().finally(() => asked.resolve()) }
  const second = { ...slow.process, metrics: () => held.promise.then(() => slow.process.metrics()) }
  sum.add(first)
  sum.add(second)
  ending.serve('/a', 3)
  const collecting = sum.collect([first, second])
  await asked.promise
  await ending.end()
  held.resolve()
  t.match(await textOf(await collecting), 'requests_total{route="/a"} 3')
  t.match(await textOf(await sum.collect([second])), 'requests_total{route="/a"} 3')
})

t.test('the sum of metrics does not grow with the number of processes that ended', async (t) => {
  const sum = metricsSum()
  for (let n = 0; n < 200; n += 1) {
    const { process, serve, sendLast, end } = fakeProcess()
    sum.add(process)
    serve('/a', 1)
    await sendLast()
    await end()
  }
  const parts = await sum.collect([])
  t.equal(parts.length, 1)
  t.same(
    parts[0]?.map(({ values }) => values.map(({ value }) => value)),
    [[200], [200, 200, 100, 200]],
  )
})
