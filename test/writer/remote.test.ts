import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MongoServerError } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { OverloadedError, TransactionTimeoutError } from '../../src/database/failures.ts'
import { remoteWriter } from '../../src/write-operations.ts'
import type { Submission } from '../../src/writer/operation.ts'
import { serveWriter } from '../../src/writer/server.ts'
import { eventually } from '../eventually.ts'

const post = { id: 'p', author: 'a', text: 'Zeile\u2028für \n Zeile 🐦', replyTo: null, claim: null }
const wish = { post: 'p', account: 'a', value: 'like', order: 'o' } as const

async function socketPath(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-socket-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'writer')
}

/** A writer whose commits are the test's to make, and this process's end of it. */
async function pair(t: Test, submit: (entry: Submission, deadline?: number) => Promise<unknown>) {
  const path = await socketPath(t)
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(line) })
  const close = await serveWriter(path, { submit }, log)
  const writer = remoteWriter(path)
  t.teardown(() => {
    writer.close()
    close()
  })
  return { writer, path, lines }
}

t.test('what is given and answered arrives as it was, whatever is in it', async (t) => {
  const given: Submission[] = []
  const { writer } = await pair(t, async (entry) => {
    given.push(entry)
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
    given.slice(1).every(({ command }) => JSON.stringify(command) === JSON.stringify(long)),
    'over many packets that end anywhere',
  )
})

t.test('answers in any order find who asked', async (t) => {
  const { writer } = await pair(t, async ({ command }) => {
    const n = Number((command as { post: string }).post)
    await delay(40 - n)
    return n
  })
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => writer.react({ ...wish, post: `${n}` })))
  t.same(answers, [...Array(40).keys()])
})

t.test('failures are those that a writer here would throw; their cause stays in the writer’s log', async (t) => {
  const causes: Record<string, Error> = {
    late: new TransactionTimeoutError('late'),
    full: new OverloadedError('full'),
    bad: new MongoServerError({ code: 121, errmsg: 'the secret of the document' }),
  }
  const { writer, lines } = await pair(t, async ({ command }) => {
    throw causes[(command as { post: string }).post]
  })
  await t.rejects(writer.react({ ...wish, post: 'late' }), TransactionTimeoutError)
  await t.rejects(writer.react({ ...wish, post: 'full' }), OverloadedError)
  const failed = await writer.react({ ...wish, post: 'bad' }).catch((error: Error) => error)
  t.match(failed, { name: 'Error', message: 'the writer failed: its own log says why' })
  t.match(lines, [/the secret of the document/], 'one line, for what nobody foresaw')
})

t.test('a deadline means the same to both, whenever each process began', async (t) => {
  let seen = 0
  const { writer } = await pair(t, async (_, deadline = 0) => {
    seen = deadline - performance.now()
    return null
  })
  await writer.react(wish)
  t.ok(seen > 2_000 && seen <= 4_500, `${seen} ms left of 4,500`)
})

/** A writer that dies: it takes what it is given, answers nothing and breaks off. */
function dyingWriter(path: string) {
  const heard: Submission[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('data', (chunk) => {
      for (const [, entry] of JSON.parse(chunk.toString()) as [number, Submission][]) heard.push(entry)
    })
  }).listen(path)
  const die = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { heard, die }
}

t.test('what a dead writer had not answered is given to the next, marked', async (t) => {
  const path = await socketPath(t)
  const { heard, die } = dyingWriter(path)
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  const first = writer.createPost(post)
  await eventually(() => heard.length > 0, { everyMs: 5 })
  t.same(heard, [{ operation: 'createPost', command: post }])
  die()
  const meanwhile = delay(60).then(() => writer.react(wish))
  await delay(120)
  const given: Submission[] = []
  const submit = async (entry: Submission) => void given.push(entry)
  const close = await serveWriter(path, { submit }, pino({ level: 'silent' }))
  t.teardown(close)
  await Promise.all([first, meanwhile])
  t.same(given, [
    { operation: 'createPost', command: { ...post, retry: true } },
    { operation: 'react', command: wish },
  ])
})

t.test('no writer at all: in its time each is told so', { timeout: 120_000 }, async (t) => {
  const path = await socketPath(t)
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  // It keeps no process alive by itself.
  const alive = setInterval(() => undefined, 1_000)
  t.teardown(() => clearInterval(alive))
  const from = performance.now()
  await t.rejects(writer.react(wish), TransactionTimeoutError)
  t.ok(performance.now() - from >= 4_500)
  const close = await serveWriter(path, { submit: async () => 'written' }, pino({ level: 'silent' }))
  t.teardown(close)
  t.equal(await writer.react(wish), 'written', 'and those who come later are served')
})

t.test('a socket that a writer before left there is replaced', async (t) => {
  const path = await socketPath(t)
  const submit = async () => 'written'
  t.teardown(await serveWriter(path, { submit: async () => 'by the old one' }, pino({ level: 'silent' })))
  t.teardown(await serveWriter(path, { submit }, pino({ level: 'silent' })))
  const writer = remoteWriter(path)
  t.teardown(() => writer.close())
  t.equal(await writer.react(wish), 'written')
  const other = connect(path)
  t.teardown(() => other.destroy())
  other.write('half a li')
  t.equal(await writer.react(wish), 'written', 'whoever else is connected')
})
