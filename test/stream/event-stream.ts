import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Test } from 'tap'
import { eventually } from '../eventually.ts'
import type { makeClient } from '../helper.ts'

type Client = ReturnType<typeof makeClient>

export type Event = {
  id: string
  event: string
  data: { id?: string; text?: string; reason?: string; counts?: object }
}

/** One block of a stream (HTML, 9.2.6): without data it only sets the last event id. */
function parseBlock(block: string, lastId: string): Event & { hasData: boolean } {
  const fields: Record<string, string> = { id: lastId, event: 'message' }
  for (const line of block.split('\n')) {
    const [, name = '', value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? []
    if (name !== '') fields[name] = value
  }
  const { id = '', event = '', data } = fields
  return { id, event, data: JSON.parse(data ?? '{}'), hasData: data !== undefined }
}

type Options = { path?: string; headers?: Record<string, string> }

/** Opens a stream and collects its events until the test ends. */
export async function openStream(t: Test, url: string, { path = '/v1/stream', headers = {} }: Options = {}) {
  const outgoing = request(`${url}${path}`, { headers, agent: false })
  outgoing.end()
  t.teardown(() => outgoing.destroy())
  // The promise resolves with the event's arguments.
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const events: Event[] = []
  const stream = {
    status: incoming.statusCode,
    headers: incoming.headers,
    events,
    text: '',
    lastId: '',
    hasEnded: false,
  }
  incoming.setEncoding('utf8')
  let rest = ''
  incoming.on('data', (chunk: string) => {
    stream.text += chunk
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const { hasData, ...event } = parseBlock(block, stream.lastId)
      stream.lastId = event.id
      if (hasData) events.push(event)
    }
  })
  incoming.on('error', () => undefined)
  incoming.on('close', () => {
    stream.hasEnded = true
  })
  if (stream.status === 200 && /event-stream/.test(String(incoming.headers['content-type']))) {
    await eventually(() => stream.lastId !== '' || stream.hasEnded)
  }
  return Object.assign(stream, {
    names: () => events.map(({ event, data }) => `${event} ${data.text ?? data.id ?? data.reason}`),
    /** Waits for an event. */
    async until(name: string, id?: string): Promise<Event> {
      const find = () => events.find(({ event, data }) => event === name && (id === undefined || data.id === id))
      await eventually(() => find() !== undefined)
      return find() as Event
    },
    pause: () => incoming.pause(),
    resume: () => incoming.resume(),
    close: () => outgoing.destroy(),
  })
}

export type OpenStream = Awaited<ReturnType<typeof openStream>>

/** @returns the id */
export async function post(client: Client, text: string, replyTo?: string): Promise<string> {
  const { statusCode, body } = await client.post<{ id: string }>('v1/posts', { json: { text, replyTo } })
  if (statusCode !== 201) throw new Error(`creating a post answered ${statusCode}`)
  return body.id
}

export const cookieOf = async (client: Client, url: string) => ({ cookie: await client.jar.getCookieString(url) })
