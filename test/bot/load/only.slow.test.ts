import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import got from 'got'
import t, { type Test } from 'tap'
import { identity } from '../../../bot/content.ts'
import { Measurements } from '../../../bot/load/measurements.ts'
import { runOnly } from '../../../bot/load/only.ts'
import { onlyActions } from '../../../bot/options/options.ts'
import { testServer } from '../../helper.ts'

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
  return runOnly({ ...run, createIdentity: (index) => identity(seed, index) }).then((check) => ({
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
  const liar = await proxyTo(t, url, (path, body) =>
    path.startsWith('/v1/posts/') ? '{"id":"other","text":"?"}' : body,
  )
  const { check } = await only(liar, 'read-post')
  t.equal(check.verdict, 'disagrees')
  t.match(check.findings[0], { rule: 'R', text: /^GET \/v1\/posts\/\S+: the answer does not contain/ })
  t.ok(check.findings.some(({ text }) => /expected the text .*, got undefined/.test(text)))
})

t.test('a server that refuses the robots leaves nothing to say', async (t) => {
  const server = createServer((_request, response) => response.writeHead(503).end())
  const { check } = await only(await listen(t, server), 'read-post')
  t.match(check, { verdict: 'nothing can be said', summary: /^ledger check incomplete: .*\/v1\/accounts: 503$/ })
})

/** A proxy that changes the bodies of answers to GET. */
async function proxyTo(t: Test, url: string, change: (path: string, body: string) => string): Promise<string> {
  const server = createServer(async (request, response) => {
    const { url: path = '', method = 'GET', headers } = request
    const answer = await got(url + path, {
      // Node.js lets through only methods that got knows, too.
      method: method as 'GET',
      ...{ headers: { ...headers, host: undefined }, throwHttpErrors: false },
      ...{ decompress: false, retry: { limit: 0 }, ...(method === 'GET' ? {} : { body: await text(request) }) },
    })
    const { 'set-cookie': cookies = [], 'content-type': type = '' } = answer.headers
    response.writeHead(answer.statusCode, { 'set-cookie': cookies, 'content-type': type })
    response.end(method === 'GET' ? change(path, answer.body) : answer.body)
  })
  return listen(t, server)
}

async function listen(t: Test, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  // A listening TCP server always has an AddressInfo.
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}
