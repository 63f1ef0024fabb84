import { createServer } from 'node:http'
import t from 'tap'
import { identity, newRun } from '../../../bot/content.ts'
import { Measurements } from '../../../bot/load/measurements.ts'
import { runOnly } from '../../../bot/load/only.ts'
import { onlyActions } from '../../../bot/options/options.ts'
import { testServer } from '../../helper.ts'
import { forwardTo, listen } from '../forward.ts'

const plan = { rate: 100, rampMs: 0, forMs: 300 }

function only(
  base: string,
  name: (typeof onlyActions)[number],
  changed: { plan?: typeof plan; stop?: AbortSignal } = {},
) {
  const measurements = new Measurements()
  const { stop = new AbortController().signal } = changed
  const run = {
    only: name,
    base: new URL(base),
    ca: undefined,
    seed: 3,
    plan: changed.plan ?? plan,
    measurements,
    stop,
  }
  // The name holds the seed, so that runs on one server do not meet.
  const seed = onlyActions.indexOf(name) + 10
  return runOnly({ ...run, createIdentity: (index) => identity(seed, index, newRun()) }).then((check) => ({
    check,
    figures: measurements.figures(),
  }))
}

t.test('each action is sent at its rate, answered, measured and checked', async (t) => {
  const { url } = await testServer(t)
  for (const name of onlyActions) {
    const { check, figures } = await only(url, name)
    t.match(check, { verdict: 'agrees', acknowledged: { posts: 20 }, findings: [] }, name)
    t.strictSame(
      figures.actions.map(({ action, count, errors }) => ({ action, count, errors })),
      [{ action: name.replace('-', ' '), count: 30, errors: 0 }],
    )
    t.equal(figures.arrivals, 30)
  }
})

t.test('what the ramp sends is not measured', async (t) => {
  const { url } = await testServer(t)
  const { figures } = await only(url, 'read-post', { plan: { rate: 100, rampMs: 400, forMs: 200 } })
  t.equal(figures.total.count, 20)
  t.equal(figures.arrivals, 20)
})

t.test('an answer without the post, and a post that changed, are findings', async (t) => {
  const { url } = await testServer(t)
  const change = (path: string, body: string) => (path.startsWith('/v1/posts/') ? '{"id":"other","text":"?"}' : body)
  const port = await listen(t, createServer(forwardTo(url, { change })))
  const { check } = await only(`http://127.0.0.1:${port}`, 'read-post')
  t.equal(check.verdict, 'disagrees')
  t.match(check.findings[0], { rule: 'R', text: /^GET \/v1\/posts\/\S+: the answer does not contain/ })
  t.ok(check.findings.some(({ text }) => /expected the text .*, got undefined/.test(text)))
})

t.test('a server that refuses the robots leaves nothing to say', async (t) => {
  const server = createServer((_request, response) => response.writeHead(503).end())
  const { check } = await only(`http://127.0.0.1:${await listen(t, server)}`, 'read-post')
  t.match(check, { verdict: 'nothing can be said', summary: /^ledger check incomplete: .*\/v1\/accounts: 503$/ })
})
