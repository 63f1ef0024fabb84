import { type ChildProcess, spawn } from 'node:child_process'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { inChromium, openChromium } from '../clients/chromium.ts'
import { needs } from '../clients/whole-session.ts'
import { eventually } from '../eventually.ts'
import { makeClient, signUp, testServer } from '../helper.ts'
import { post } from './event-stream.ts'

type Client = ReturnType<typeof makeClient>

/** Creates, edits and deletes a post, and waits for each event: `read` has the lines so far, such as `post {…}`. */
async function writeAll(client: Client, read: () => readonly string[] | Promise<readonly string[]>): Promise<string> {
  const shows = (start: string) => eventually(async () => isShown(await read(), [start]))
  const id = await post(client, 'Ünïcode 🐧')
  await shows(`post {"id":"${id}",`)
  await client.patch(`v1/posts/${id}`, { json: { text: 'edited' } })
  await shows(`edited {"id":"${id}",`)
  await client.delete(`v1/posts/${id}`)
  await shows(`removed {"id":"${id}"}`)
  return id
}

/** The lines that a program prints, which is ended with the test. */
function linesOf(child: ChildProcess): string[] {
  const lines: string[] = []
  if (child.stdout) createInterface(child.stdout).on('line', (line) => lines.push(line))
  return lines
}

const isShown = (lines: readonly string[], starts: readonly string[]) =>
  starts.every((start) => lines.some((line) => line.startsWith(start)))

t.test('EventSource in Chromium reads a stream, and resumes it by itself', inChromium, async (t) => {
  const { app, url } = await testServer(t)
  const { client } = await signUp(url)
  const connections: Socket[] = []
  app.server.on('request', (request: IncomingMessage) => {
    if (request.url === '/v1/stream') connections.push(request.socket)
  })
  const context = await openChromium(t)
  const page = await context.newPage()
  await page.goto(`${url}/docs`)
  // A string, because the page's code has the types of a browser.
  await page.evaluate(`
    window.lines = []
    window.source = new EventSource('/v1/stream')
    for (const name of ['open', 'error', 'message', 'post', 'edited', 'removed', 'counts', 'lagged'])
      source.addEventListener(name, ({ data = '' }) => lines.push(name + ' ' + data))`)
  const lines = () => page.evaluate<string[]>('lines')
  await eventually(async () => isShown(await lines(), ['open']))
  await writeAll(client, lines)
  t.match((await lines()).join('\n'), 'Ünïcode 🐧')

  connections[0]?.destroy()
  const missed = await post(client, 'missed')
  await eventually(async () => isShown(await lines(), [`post {"id":"${missed}",`]))
  t.ok(isShown(await lines(), ['error']), 'it was without a connection')
  await writeAll(client, lines)
  const all = await lines()
  t.equal(
    all.filter((line) => line.startsWith('post')).length,
    new Set(all.filter((line) => line.startsWith('post'))).size,
  )
  t.notOk(all.some((line) => line.startsWith('message') || line.startsWith('lagged')))
  t.equal(await page.evaluate('source.readyState'), 1)
})

t.test('curl -N prints a stream as it comes', await needs('curl', '--version'), async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url)
  const curl = spawn('curl', ['-q', '-sSN', '--noproxy', '*', '-m', '60', `${url}/v1/stream`])
  t.teardown(() => curl.kill())
  const lines = linesOf(curl)
  await eventually(() => isShown(lines, ['retry: ', 'id: ']))
  const id = await writeAll(client, () =>
    lines.map((line, n) => `${lines[n - 1]?.slice('event: '.length)} ${line.slice('data: '.length)}`),
  )
  // A stream begins a second in the past, when an earlier test's posts may have been removed from the same database.
  t.same(
    lines.filter((_, n) => lines[n + 1]?.startsWith('data: ') && lines[n + 1]?.includes(id)),
    ['event: post', 'event: edited', 'event: removed'],
  )
})

const python = process.env.PYTHON ?? 'python3'

t.test('httpx reads a stream line by line', await needs(python, '-c', 'import httpx'), async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url)
  const program = fileURLToPath(new URL('read_stream.py', import.meta.url))
  const child = spawn(python, [program, `${url}/v1/stream`], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill())
  const lines = linesOf(child)
  await eventually(() => isShown(lines, ['open text/event-stream']))
  await writeAll(client, () => lines)
  t.ok(lines.length >= 4)
})

t.test('got reads a stream', async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url)
  const stream = makeClient(url).stream('v1/stream', { timeout: {} })
  t.teardown(() => stream.destroy())
  let text = ''
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  await eventually(() => /^id: /m.test(text))
  await writeAll(client, () =>
    [...text.matchAll(/^event: (.*)\ndata: (.*)$/gm)].map(([, name, data]) => `${name} ${data}`),
  )
  t.match(text, 'Ünïcode 🐧')
})
