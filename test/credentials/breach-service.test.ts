import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { breachService } from '../../src/credentials/breach-service.ts'
import { makeClient, testServer } from '../helper.ts'

const breached = 'Vexed-quartz jumbo lynx'
const sha1 = createHash('sha1').update(breached).digest('hex').toUpperCase()
const [prefix, suffix] = [sha1.slice(0, 5), sha1.slice(5)]
const padding = Array.from({ length: 900 }, (_, index) => `${index.toString(16).toUpperCase().padStart(35, 'A')}:0`)
const open = new AbortController().signal

/** A service of ranges on loopback; `requests` has what it was asked. */
async function rangeServer(t: Test, answer: RequestListener) {
  const requests: Pick<IncomingMessage, 'url' | 'headers'>[] = []
  const server = createServer(async (request, response) => {
    requests.push(request)
    await answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // TCP always
  return { url: `http://127.0.0.1:${port}/range`, requests }
}

/** The URL of a port that nothing listens on. */
async function closedPort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // TCP always
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${port}/range`
}

function recordingLog() {
  const lines: { reason?: string; failures?: number }[] = []
  return { lines, log: { warn: (fields: unknown) => void lines.push(fields ?? {}) } }
}

t.test('a breached password is found by the prefix of its SHA-1, and padding counts as none', async (t) => {
  const { url, requests } = await rangeServer(t, (_, response) =>
    response.end([...padding, `${suffix}:3`, `${'B'.repeat(35)}:0`].join('\r\n')),
  )
  const { log, lines } = recordingLog()
  const isBreached = breachService(url, log)
  t.equal(await isBreached(breached, open), true)
  t.equal(await isBreached('Vexed-quartz jumbo lynx 2', open), false)
  t.equal(requests[0]?.url, `/range/${prefix}`)
  t.match(requests[0]?.headers, { 'add-padding': 'true' })
  t.notMatch(JSON.stringify(requests.map(({ url, headers }) => [url, headers])), new RegExp(`${suffix}|Vexed`, 'i'))
  t.same(lines, [])
})

t.test('a count of 0 is padding', async (t) => {
  const { url } = await rangeServer(t, (_, response) => response.end(`${suffix}:0\r\n`))
  t.equal(await breachService(url, recordingLog().log)(breached, open), false)
})

t.test('a service that stalls, drops, redirects, fails or sends rubbish counts as none, with a log line', async (t) => {
  const faults: Record<string, RequestListener> = {
    stalls: () => undefined,
    'stalls in the body': (_, response) => void response.write(`${suffix}:3\r\n`),
    drops: (request) => void request.socket.destroy(),
    'drops in the body': (_, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write(`${suffix}:3\r\n`, () => response.destroy())
    },
    redirects: (_, response) => response.writeHead(302, { location: '/' }).end(),
    fails: (_, response) => response.writeHead(500).end(`${suffix}:3\r\n`),
    'sends a page': (_, response) => response.end('<!doctype html>'),
    'sends bytes': (_, response) => response.end(Buffer.alloc(1_000, 0xff)),
    'sends too much': (_, response) => response.end(`${padding.join('\n')}\n`.repeat(100)),
  }
  for (const [name, answer] of Object.entries(faults)) {
    const { url } = await rangeServer(t, answer)
    const { log, lines } = recordingLog()
    const timeoutMs = name.startsWith('stalls') ? 50 : 60_000
    t.equal(await breachService(url, log, { timeoutMs })(breached, open), false, name)
    t.equal(lines.length, 1, name)
    t.notMatch(JSON.stringify(lines), new RegExp(`${suffix}|Vexed|doctype`), name)
  }
  const { log, lines } = recordingLog()
  t.equal(await breachService(await closedPort(), log)(breached, open), false)
  t.match(lines, [{ reason: 'ECONNREFUSED' }])
})

t.test('failures are logged once a minute, with their number', async (t) => {
  let nowMs = 0
  const { log, lines } = recordingLog()
  const isBreached = breachService(await closedPort(), log, { now: () => nowMs })
  for (nowMs = 0; nowMs < 120_000; nowMs += 10_000) await isBreached(breached, open)
  t.match(lines, [{ failures: 1 }, { failures: 6 }])
})

t.test('a client that leaves ends the question, and that is no failure', async (t) => {
  const leaving = new AbortController()
  const { url } = await rangeServer(t, () => leaving.abort(new Error('the client left')))
  const { log, lines } = recordingLog()
  await t.rejects(breachService(url, log)(breached, leaving.signal), { message: 'the client left' })
  t.same(lines, [])
})

t.test('PASSWORD_BREACH_URL: sign-up and change refuse a breached password, and accept others', async (t) => {
  const ranges = await rangeServer(t, (_, response) => response.end(`${suffix}:3\r\n`))
  const { url } = await testServer(t, { PASSWORD_BREACH_URL: ranges.url })
  const client = makeClient(url)
  const refused = await client.post('v1/accounts', { json: { username: 'ann', password: breached } })
  t.equal(refused.statusCode, 400)
  const detail = 'Must not be known from a breach: choose another.'
  t.match(refused.body, { code: 'validation', errors: [{ pointer: '/body/password', detail }] })
  const password = `${breached} 2`
  t.equal((await client.post('v1/accounts', { json: { username: 'ann', password } })).statusCode, 201)
  const json = { currentPassword: password, newPassword: breached }
  t.match(await client.put('v1/account/password', { json }), {
    statusCode: 400,
    body: { errors: [{ pointer: '/body/newPassword', detail }] },
  })
  const before = ranges.requests.length
  t.equal((await client.post('v1/session', { json: { username: 'ann', password } })).statusCode, 200)
  t.match(await client.post('v1/accounts', { json: { username: 'bob', password: 'cristianoronaldo7' } }), {
    statusCode: 400,
  })
  t.equal(ranges.requests.length, before, 'no question about a login or about what is refused anyway')
})

t.test('a sign-up succeeds while the service does not answer', async (t) => {
  const ranges = await rangeServer(t, () => undefined)
  const { url } = await testServer(t, { PASSWORD_BREACH_URL: ranges.url })
  const { statusCode } = await makeClient(url).post('v1/accounts', { json: { username: 'ann', password: breached } })
  t.equal(statusCode, 201)
  t.equal(ranges.requests.length, 1)
})
