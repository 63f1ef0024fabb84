import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import t from 'tap'
import { measureSecretAges } from '../../src/operations/metrics.ts'
import { measureWorkers } from '../../src/operations/worker-metrics.ts'
import { testServer } from '../helper.ts'

const root = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFile(join(root, path), 'utf8')

/** Of our own, without what a histogram adds to them. */
const metricsIn = (text: string) =>
  new Set(
    [...text.matchAll(/\b(?:rookery_[a-z_]+|http_request_[a-z_]+)\b/g)].map(([name]) =>
      name.replace(/_(?:bucket|sum|count)$/, ''),
    ),
  )

const without = (names: ReadonlySet<string>, others: ReadonlySet<string>) =>
  [...names].filter((name) => !others.has(name))

t.test(
  'alerts, dashboard and documents name the metrics that there are, and each alert has its paragraph',
  async (t) => {
    const { app } = await testServer(t)
    if (!app) return
    const ofCluster = new Registry()
    measureWorkers(ofCluster, () => [])
    measureSecretAges(ofCluster, () => [])
    const names = [...(await app.metrics.getMetricsAsJSON()), ...(await ofCluster.getMetricsAsJSON())].map(
      ({ name }) => name,
    )
    const own = new Set(names.filter((name) => /^(?:rookery|http)_/.test(name)))
    const [alerts, dashboard, operations] = await Promise.all([
      read('monitoring/alerts.yaml'),
      read('monitoring/grafana-dashboard.json'),
      read('docs/operations.md'),
    ])
    for (const [file, text] of Object.entries({ alerts, dashboard, operations }))
      t.same(without(metricsIn(text), own), [], `${file} names no other`)
    t.same(without(own, metricsIn(operations)), [], 'each is documented')
    t.same(without(own, metricsIn(dashboard)), [], 'each is on the dashboard')
    const alertNames = [...alerts.matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
    const runbook = operations.slice(operations.indexOf('## Runbook'))
    const paragraphs = [...runbook.matchAll(/^### (Rookery\w+)\n\n\S/gm)].map(([, name]) => name)
    t.same(alertNames, paragraphs)
    t.ok(alertNames.length > 10)
    const { panels } = JSON.parse(dashboard)
    t.equal(new Set(panels.map(({ id }: { id: number }) => id)).size, panels.length)
  },
)

t.test('promtool accepts the rules and the scrape configuration', async (t) => {
  const promtool = (...args: string[]) => execFileSync('promtool', args, { encoding: 'utf8', stdio: 'pipe' })
  try {
    promtool('--version')
  } catch {
    return t.comment('promtool is not installed')
  }
  t.match(promtool('check', 'rules', join(root, 'monitoring/alerts.yaml')), /SUCCESS/)
  t.match(promtool('check', 'config', join(root, 'monitoring/prometheus.yaml')), /SUCCESS/)
})
