import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { generate } from 'selfsigned'
import t from 'tap'
import { openTerminal } from '../fixtures/terminal.ts'
import { freshDatabase, testServer } from '../helper.ts'
import { ServerProcess } from '../main/server-process.ts'
import { forwardTo, listen } from './forward.ts'

// Each under a terminal, as a person runs it.
const timeout = 450_000
const small = ['--robots', '2', '--posts', '2', '--reactions', '2']
const bot = (...args: string[]) => [process.execPath, 'bot/index.ts', ...args]

t.test('| head ends the printing quietly, and the exit code is the verdict’s', { timeout }, async (t) => {
  const { url } = await testServer(t)
  const script = '"$@" | head -1; exit $PIPESTATUS'
  const { code, out } = await openTerminal(t, ['bash', '-c', script, 'bash', ...bot('--url', url, ...small)]).ended
  t.equal(code, 0, out)
  t.match(out, /^2 users, 2 posts and 2 reactions each, [^\r\n]*\r?\n$/)
})

t.test('a server that goes away ends the run after 30 s: nothing can be said', { timeout }, async (t) => {
  const { url } = await testServer(t)
  const forward = forwardTo(url)
  let posts = 0
  const proxy = createServer(async (request, response) => {
    if (request.method === 'POST' && request.url === '/v1/posts') posts += 1
    if (posts < 3) return forward(request, response)
    proxy.close()
    proxy.closeAllConnections()
  })
  const address = `http://127.0.0.1:${await listen(t, proxy)}`
  const terminal = openTerminal(t, bot('--url', address, '--robots', '3', '--for', '10m'))
  await terminal.shows(/server +silent for \d+ s/)
  const silentAt = performance.now()
  const { code, out } = await terminal.ended
  t.equal(code, 4, out)
  t.match(out, /The server has not answered for 30 s: the run ends here\./)
  t.match(out, /ledger check incomplete: .*ECONNREFUSED/)
  const seconds = (performance.now() - silentAt) / 1000
  t.ok(seconds > 20 && seconds < 90, `${seconds} s`)
})

t.test('without posts nothing can be said', { timeout }, async (t) => {
  const { url } = await testServer(t)
  const { code, out } = await openTerminal(t, bot('--url', url, '--robots', '2', '--posts', '0')).ended
  t.equal(code, 4, out)
  t.match(out, /nothing can be said: the server acknowledged no post/)
})

t.test('a second run beside the first: both agree', { timeout }, async (t) => {
  const { url } = await testServer(t)
  const seed = ['--seed', '5']
  const runs = [0, 1].map(() => openTerminal(t, bot('--url', url, ...small, ...seed)))
  for (const { code, out } of await Promise.all(runs.map(({ ended }) => ended))) {
    t.equal(code, 0, out)
    t.match(out, /ledger agrees: /)
  }
})

t.test('production’s variables and limits, on loopback: the default run agrees', { timeout }, async (t) => {
  const { connection } = await freshDatabase(t)
  const server = new ServerProcess(t, {
    NODE_ENV: 'production',
    MONGODB_URI: connection.uri,
    DB_USER: connection.username,
    DB_PASSWORD: connection.password,
    JWT_SIGN_KEY: 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K-production',
    PUBLIC_ORIGIN: 'https://rookery.example',
  })
  const url = await server.ready()
  const { code, out } = await openTerminal(t, bot('--url', url)).ended
  t.equal(code, 0, out)
  t.match(out, /ledger agrees: /)
})

t.test('https with --ca at 40 columns, whose view does not wrap', { timeout }, async (t) => {
  const { url } = await testServer(t)
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
  const ca = join(t.testdir(), 'ca.pem')
  await writeFile(ca, cert)
  const address = `https://127.0.0.1:${await listen(t, createSecureServer({ key, cert }, forwardTo(url)))}`
  const narrow = ['sh', '-c', 'stty rows 24 cols 40 && exec "$0" "$@"']
  const { code, out } = await openTerminal(t, [...narrow, ...bot('--url', address, '--ca', ca, '--robots', '3')]).ended
  t.equal(code, 0, out)
  const view = stripVTControlCharacters(out)
    .split(/\r?\n/)
    .filter((line) => /^(robots|phase|requests\/s|latency|errors|checked|server) {2,}/.test(line))
  t.ok(view.length >= 7)
  t.ok(view.every((line) => [...line].length < 40))
  const untrusted = await openTerminal(t, bot('--url', address)).ended
  t.equal(untrusted.code, 2)
  t.match(untrusted.out, /is not trusted .*give its authority with --ca/)
})
