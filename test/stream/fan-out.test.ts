import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { mock } from 'node:test'
import { pino } from 'pino'
import t from 'tap'
import type { Change } from '../../src/stream/change-feed.ts'
import { eventLog } from '../../src/stream/event-log.ts'
import { fanOut } from '../../src/stream/fan-out.ts'
import { positionAt } from '../../src/stream/position.ts'
import { openReader, type Reader } from '../../src/stream/reader.ts'
import { recentRemovals } from '../../src/stream/removals.ts'
import type { PostOfEvent } from '../../src/stream/schema.ts'
import { eventually } from '../eventually.ts'

const idOf = (n: number) => `019ab0f2-7d31-7c44-9a5e-${String(n).padStart(12, '0')}`

const postOf = (id: string): PostOfEvent => ({
  id,
  author: { id: idOf(0), username: 'ann', displayName: 'Ann' },
  text: 'text',
  createdAt: new Date(0),
  editedAt: null,
  replyTo: null,
  counts: { likes: 0, dislikes: 0, replies: 0 },
  viewer: null,
})

/** A fan-out over posts that exist, whose reads wait while they are held. */
function fixture(ended: (reader: Reader) => boolean = () => false) {
  const events = eventLog()
  const existing = new Set<string>()
  const removals = recentRemovals()
  let held: Promise<void> | undefined
  let seconds = 1
  let reads = 0
  const lagged: string[] = []
  events.begin(positionAt({ t: 1, i: 0 }))
  const readers = fanOut({
    events,
    async readPosts(ids) {
      reads += 1
      const found = ids.filter((id) => existing.has(id)).map((id) => [id, postOf(id)] as const)
      await held
      return new Map(found)
    },
    timelines: { renew: async () => undefined },
    endRevoked: async (all) => {
      for (const reader of all) if (ended(reader)) reader.end()
    },
    isRemoved: removals.has,
    isDraining: () => false,
    onLag: (reason) => lagged.push(reason),
    queue: Object.assign(<T>(task: () => Promise<T>) => task(), {
      assertRoom: () => undefined,
      size: () => ({ running: 0, waiting: 0 }),
    }),
    log: pino({ level: 'silent' }),
  })

  /** A stream whose client has not read `raw.writableLength` bytes yet. */
  function open() {
    let isReset = false
    const socket = {
      resetAndDestroy() {
        isReset = true
      },
    }
    const raw = Object.assign(new EventEmitter(), { writableLength: 0, socket })
    const reader = openReader({
      // The members that a reader uses.
      raw: raw as unknown as ServerResponse,
      viewer: null,
      timeline: undefined,
      ticket: { key: '', signal: new AbortController().signal },
      endsAt: Number.POSITIVE_INFINITY,
      next: readers.start.next,
      after: undefined,
      onReady: readers.onReady,
      onClose: readers.remove,
    })
    const stream = { raw, reader, text: '', isReset: () => isReset }
    reader.body.setEncoding('utf8').on('data', (text) => {
      stream.text += text
    })
    readers.add(reader)
    return stream
  }

  return {
    readers,
    removals,
    lagged,
    open,
    reads: () => reads,
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return resolve
    },
    /** @returns when it has been sent */
    publish(n: number, kind: Change['kind'] = 'post'): Promise<void> {
      existing.add(idOf(n))
      if (kind === 'removed') existing.delete(idOf(n))
      seconds += 1
      events.append([{ position: positionAt({ t: seconds, i: 0 }, 1), kind, post: idOf(n) }])
      return readers.publish()
    },
  }
}

t.test('a post deleted while it is read is not sent; nor is one of an account deleted then', async (t) => {
  for (const removed of [idOf(1), idOf(0)]) {
    const { open, publish, removals, hold, reads } = fixture()
    const stream = open()
    await publish(7)
    await eventually(() => stream.text.includes(idOf(7)))
    const release = hold()
    const before = reads()
    const sent = publish(1)
    await eventually(() => reads() > before)
    removals.add(removed)
    release()
    await sent
    await publish(1, 'removed')
    await eventually(() => stream.text.includes('event: removed'))
    t.equal(stream.text.match(/event: post/g)?.length, 1)
    stream.reader.end()
  }
})

t.test('a reader that is not ready is sent nothing, and later what still exists, read again', async (t) => {
  const { open, publish, reads } = fixture()
  const [slow, fast] = [open(), open()]
  await publish(1)
  await eventually(() => slow.text.includes(idOf(1)))
  slow.raw.writableLength = 1
  const before = slow.text
  await publish(2)
  await publish(3)
  await publish(2, 'removed')
  await eventually(() => fast.text.includes('event: removed'))
  t.match(fast.text, new RegExp(`event: post\ndata: {"id":"${idOf(2)}"`))
  t.equal(slow.text, before)
  t.equal(slow.reader.body.readableLength, 0, 'nothing is buffered')
  const readsBefore = reads()
  slow.raw.writableLength = 0
  await eventually(() => slow.text.includes('event: removed'))
  t.notMatch(slow.text, new RegExp(`event: post\ndata: {"id":"${idOf(2)}"`), 'it has been deleted since')
  t.match(slow.text, new RegExp(`event: post\ndata: {"id":"${idOf(3)}"`))
  t.ok(reads() > readsBefore)
  await publish(4)
  await eventually(() => [slow, fast].every(({ text }) => text.includes(idOf(4))))
  for (const { reader } of [slow, fast]) reader.end()
})

t.test('a reader that is no longer ready when the posts have been read gets them later', async (t) => {
  const { open, publish, hold, reads } = fixture()
  const stream = open()
  await publish(1)
  await eventually(() => stream.text.includes(idOf(1)))
  const release = hold()
  const before = reads()
  const sent = publish(2)
  await eventually(() => reads() > before)
  stream.raw.writableLength = 1
  release()
  await sent
  t.notMatch(stream.text, idOf(2))
  stream.raw.writableLength = 0
  await eventually(() => stream.text.includes(idOf(2)))
  stream.reader.end()
})

t.test('a session that ends while posts are read gets no event more', async (t) => {
  let isEnded = false
  const { open, publish } = fixture(() => isEnded)
  const stream = open()
  await publish(1)
  await eventually(() => stream.text.includes(idOf(1)))
  isEnded = true
  await publish(2)
  t.notOk(stream.reader.isOpen)
  t.notMatch(stream.text, idOf(2))
})

t.test('when changes are lost, every stream is told', async (t) => {
  const { open, readers, lagged } = fixture()
  const streams = [open(), open()]
  readers.reset()
  await eventually(() => streams.every(({ text }) => /^id: \w+\nevent: lagged\n/m.test(text)))
  t.same(lagged, ['unknown-position', 'unknown-position'])
  t.notOk(streams.some(({ reader }) => reader.isOpen))
})

t.test('the connection of an ended stream that its client does not read is reset', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { reader, isReset } = fixture().open()
  reader.end()
  mock.timers.tick(9_999)
  t.notOk(isReset())
  mock.timers.tick(1)
  t.ok(isReset())
})

t.test('nothing is kept of an ended stream whose connection has closed', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { reader, raw, isReset } = fixture().open()
  reader.end()
  raw.emit('close')
  mock.timers.tick(10_000)
  t.notOk(isReset())
})
