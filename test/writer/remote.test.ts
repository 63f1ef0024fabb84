import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { MongoServerError } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { accessRefusals } from '../../src/database/access-refusals.ts'
import {
  AccessRefusedError,
  OutcomeUnknownError,
  OverloadedError,
  TransactionTimeoutError,
} from '../../src/database/failures.ts'
import { remoteWriter } from '../../src/write-operations.ts'
import type { Submission } from '../../src/writer/operation.ts'
import { serveWriter } from '../../src/writer/server.ts'
import { eventually } from '../eventually.ts'
import { socketPath } from './fixtures/socket-path.ts'

const silent = pino({ level: 'silent' })
const noteRefusal = () => false
const post = { id: 'p', author: 'a', text: 'line\u2028by \n line 🐦 ü', replyTo: null, claim: null }
const like = { post: 'p', account: 'a', value: 'like', order: 'o' } as const

/** A writer server with the given `submit`, and a remote writer connected to it. */
async function connectedPair(t: Test, submit: (entry: Submission, deadline?: number) => Promise<unknown>) {
  const path = await socketPath(t)
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(line) })
  const { close } = await serveWriter(path, { submit }, log, noteRefusal)
  const writer = remoteWriter(path)
  t.teardown(() => {
    writer.close()
    close()
  })
  return { writer, path, lines }
}

t.test('commands and answers arrive unchanged, with line separators and emoji, also 2,000 at once', async (t) => {
  const received: Submission[] = []
  const { writer } = await connectedPair(t, async (entry) => {
    received.push(entry)
    return { outcome: 'replayed', post: JSON.stringify(entry) }
  })
  t.same(await writer.createPost(post), {
    outcome: 'replayed',
    post: JSON.stringify({ operation: 'createPost', command: post }),
  })
  const long = { ...post, text: '🐦'.repeat(500) }
  const many = await Promise.all(Array.from({ length: 2_000 }, () => writer.createPost(long)))
  t.equal(many.length, 2_000)
  t.ok(
    received.slice(1).every(({ command }) => JSON.stringify(command) === JSON.stringify(long)),
    'across packet boundaries',
  )
})

t.test('answers out of order reach their own callers', async (t) => {
  const { writer } = await connectedPair(t, async ({ command }) => {
    const n = Number((command as { post: string }).post)
    await delay(40 - n)
    return n
  })
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => writer.react({ ...like, post: `${n}` })))
  t.same(answers, [...Array(40).keys()])
})

t.test(
  'a remote writer throws the errors that a local one throws, and the cause stays in the writer process’s log',
  async (t) => {
    const causes: Record<string, Error> = {
      late: new TransactionTimeoutError('late'),
      unknown: new OutcomeUnknownError('no answer'),
      full: new OverloadedError('full'),
      bad: new MongoServerError({ code: 121, errmsg: 'the secret of the document' }),
    }
    const { writer, lines } = await connectedPair(t, async ({ command }) => {
      throw causes[(command as { post: string }).post]
    })
    await t.rejects(writer.react({ ...like, post: 'late' }), TransactionTimeoutError)
    await t.rejects(writer.react({ ...like, post: 'unknown' }), OutcomeUnknownError)
    await t.rejects(writer.react({ ...like, post: 'full' }), OverloadedError)
    const failed = await writer.react({ ...like, post: 'bad' }).catch((error: Error) => error)
    t.match(failed, { name: 'Error', message: 'the writer failed: see its own log' })
    t.match(lines, [/the secret of the document/], 'one line, for the unexpected error')
  },
)

t.test('a user that MongoDB refuses in the writer process is noted there, and known to the caller', async (t) => {
  const path = await socketPath(t)
  let refusals = 0
  const count = accessRefusals(silent, () => {
    refusals += 1
  })
  const submit = async () => {
    throw new MongoServerError({ message: 'Authentication failed.', code: 18 })
  }
  t.teardown((await serveWriter(path, { submit }, silent, count)).close)
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  await t.rejects(writer.react(like), AccessRefusedError)
  t.equal(refusals, 1)
})

t.test(
  'a deadline arrives with the time that is left, although monotonic clocks differ between processes',
  async (t) => {
    let seen = 0
    const { writer } = await connectedPair(t, async (_, deadline = 0) => {
      seen = deadline - performance.now()
      return null
    })
    await writer.react(like)
    t.ok(seen > 2_000 && seen <= 4_500, `${seen} ms left of 4,500`)
    await writer.react(like, performance.now() + 60_000)
    t.ok(seen > 30_000 && seen <= 60_000, `${seen} ms left of 60,000, which the caller gave`)
  },
)

/** A writer process that receives commands and exits before it answers. */
function exitingWriter(path: string) {
  const received: Submission[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('data', (chunk) => {
      for (const [, entry] of JSON.parse(chunk.toString()) as [number, Submission][]) received.push(entry)
    })
  }).listen(path)
  const exit = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { received, exit }
}

t.test('commands that an exited writer left unanswered go to the next one as retries', async (t) => {
  const path = await socketPath(t)
  const { received, exit } = exitingWriter(path)
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  const first = writer.createPost(post)
  await eventually(() => received.length > 0, { everyMs: 5 })
  t.same(received, [{ operation: 'createPost', command: post }])
  exit()
  const second = delay(60).then(() => writer.react(like))
  await delay(120)
  const resubmitted: Submission[] = []
  const submit = async (entry: Submission) => void resubmitted.push(entry)
  const { close } = await serveWriter(path, { submit }, silent, noteRefusal)
  t.teardown(close)
  await Promise.all([first, second])
  t.same(resubmitted, [
    { operation: 'createPost', command: { ...post, retry: true } },
    { operation: 'react', command: like },
  ])
})

t.test('without a writer a command fails at its deadline', { timeout: 120_000 }, async (t) => {
  const path = await socketPath(t)
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  // The remote writer alone keeps no process alive.
  const alive = setInterval(() => undefined, 1_000)
  t.teardown(() => clearInterval(alive))
  const from = performance.now()
  await t.rejects(writer.react(like), TransactionTimeoutError)
  t.ok(performance.now() - from >= 4_500)
  const { close } = await serveWriter(path, { submit: async () => 'written' }, silent, noteRefusal)
  t.teardown(close)
  t.equal(await writer.react(like), 'written', 'later commands reach the new writer')
})

t.test('a command that a writer received and never answered: whether it was written is unknown', async (t) => {
  const path = await socketPath(t)
  const { received, exit } = exitingWriter(path)
  t.teardown(exit)
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  const patient = writer.react(like, performance.now() + 60_000).catch(() => 'closed')
  const impatient = writer.createPost(post, performance.now() + 1_000)
  await t.rejects(impatient, OutcomeUnknownError)
  t.equal(received.length, 2)
  t.equal(await Promise.race([patient, 'pending']), 'pending', 'another with more time still waits')
})

t.test('a command that waits because the writer reads nothing was not tried at its deadline', async (t) => {
  const path = await socketPath(t)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => void sockets.add(socket.pause())).listen(path)
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  await eventually(() => sockets.size > 0, { everyMs: 5 })
  // More than the socket takes.
  const long = { ...post, text: 'x'.repeat(20_000) }
  const deadline = performance.now() + 3_000
  const sent = Array.from({ length: 400 }, () => writer.createPost(long, deadline).catch((error: unknown) => error))
  await delay(500)
  const waiting = writer.react(like, deadline)
  await t.rejects(waiting, TransactionTimeoutError)
  t.type((await Promise.all(sent))[0], OutcomeUnknownError)
})

t.test('a command that a writer left unanswered stays unknown, even if the next one refuses to write it', async (t) => {
  const path = await socketPath(t)
  const { received, exit } = exitingWriter(path)
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  const unanswered = writer.react(like)
  await eventually(() => received.length > 0, { everyMs: 5 })
  exit()
  const submit = () => Promise.reject(new TransactionTimeoutError('late'))
  t.teardown((await serveWriter(path, { submit }, silent, noteRefusal)).close)
  await t.rejects(unanswered, OutcomeUnknownError)
  await t.rejects(writer.react(like), TransactionTimeoutError, 'a new command was not tried')
})

t.test('a new writer replaces the socket that an earlier one left', async (t) => {
  const path = await socketPath(t)
  const submit = async () => 'written'
  t.teardown((await serveWriter(path, { submit: async () => 'by the earlier one' }, silent, noteRefusal)).close)
  t.teardown((await serveWriter(path, { submit }, silent, noteRefusal)).close)
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  t.equal(await writer.react(like), 'written')
  const other = connect(path)
  t.teardown(() => other.destroy())
  other.write('half a li')
  t.equal(await writer.react(like), 'written', 'while another client has sent half a line')
})

t.test('a writer that drains answers what it took, and the next one gets the rest', async (t) => {
  const path = await socketPath(t)
  const taken: (() => void)[] = []
  const slow = () => new Promise<string>((resolve) => taken.push(() => resolve('by the earlier one')))
  const earlier = await serveWriter(path, { submit: slow }, silent, noteRefusal)
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  const first = writer.react(like)
  await eventually(() => taken.length === 1, { everyMs: 5 })
  const later = await serveWriter(path, { submit: async () => 'by the later one' }, silent, noteRefusal)
  t.teardown(later.close)
  const drained = earlier.drain()
  const second = writer.react(like)
  await delay(50)
  t.equal(taken.length, 1, 'it takes no more')
  taken[0]?.()
  t.equal(await first, 'by the earlier one')
  await drained
  earlier.close()
  t.equal(await second, 'by the later one')
  const other = remoteWriter(path)
  t.teardown(() => other.close())
  t.equal(await other.react(like), 'by the later one', 'the earlier one has not removed its socket')
})
