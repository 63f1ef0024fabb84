import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { readClientInfo } from '../../src/http/client-info.ts'
import { enforceDeadlines } from '../../src/http/deadline.ts'
import { answerWithProblems } from '../../src/http/errors.ts'
import { overloaded } from '../../src/http/problems.ts'
import { queueChanges, withQueuedChanges } from '../../src/http/waiting-room.ts'
import { paceRefusals } from '../../src/limits/refusal-pace.ts'
import { eventually } from '../eventually.ts'

/** A server whose changes end when they are told to. Two may be in progress. */
async function setUp(t: Test, maxWaitMs: number, maxPlaceMs = 60_000) {
  const app = Fastify()
  const started: string[] = []
  const releases: (() => void)[] = []
  let hooks = 0
  answerWithProblems(app)
  queueChanges(app, { 'x-every': 'response' }, { maxInProgress: 2, maxWaitMs, maxPlaceMs })
  app.addHook('onRequest', async () => {
    hooks += 1
  })
  app.put('/others', async () => 'written')
  withQueuedChanges(app)
  app.get('/changes/:name', async () => 'read')
  app.put<{ Params: { name: string } }>('/changes/:name', async ({ params: { name }, queuedMs }) => {
    started.push(name)
    await new Promise<void>((resolve) => releases.push(resolve))
    if (name === 'failing') throw new Error('failed')
    return { queuedMs }
  })
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  // Without then(), inject() would not send it yet.
  const change = (name: string) => app.inject({ method: 'PUT', url: `/changes/${name}` }).then((answer) => answer)
  return { app, change, started, release: () => releases.shift()?.(), hooks: () => hooks }
}

t.test('changes beyond those in progress wait, and start in the order of their arrival', async (t) => {
  const { app, change, started, release, hooks } = await setUp(t, 60_000)
  const changes = ['1', '2', '3', 'failing', '5'].map(change)
  await eventually(() => started.length === 2)
  t.equal((await app.inject('/changes/1')).statusCode, 200, 'a read does not wait')
  t.equal((await app.inject({ method: 'PUT', url: '/others' })).statusCode, 200, 'nor does a change of another kind')
  t.equal(hooks(), 4, 'what waits has run no other hook')
  for (let n = 3; n <= 5; n += 1) {
    release()
    await eventually(() => started.length === n)
  }
  release()
  release()
  const answers = await Promise.all(changes)
  t.same(started, ['1', '2', '3', 'failing', '5'])
  t.same(
    answers.map(({ statusCode }) => statusCode),
    [200, 200, 200, 500, 200],
  )
  t.equal(answers[0]?.json().queuedMs < answers[4]?.json().queuedMs, true)
})

t.test('a change that has waited too long gets overloaded, and its turn goes to the next', async (t) => {
  const { change, started, release } = await setUp(t, 100)
  const first = [change('1'), change('2')]
  await eventually(() => started.length === 2)
  const refused = await change('3')
  t.match(refused, {
    statusCode: 503,
    headers: { 'retry-after': '2', 'x-every': 'response', 'content-type': 'application/problem+json; charset=utf-8' },
  })
  t.match(refused.json(), { code: 'overloaded', instance: `urn:rookery:request:${refused.headers['x-request-id']}` })
  const next = change('4')
  release()
  await eventually(() => started.length === 3)
  release()
  release()
  await Promise.all([...first, next])
  t.same(started, ['1', '2', '4'])
})

/** A change whose body never arrives, or whose client leaves. */
async function sendHead(port: number, name: string) {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(
    `PUT /changes/${name} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n`,
  )
  return socket
}

t.test('clients that send no body take no place from others', async (t) => {
  const { app, change, started, release } = await setUp(t, 60_000)
  const { port } = app.server.address() as AddressInfo // TCP always
  const sockets = await Promise.all(['slow1', 'slow2', 'slow3'].map((name) => sendHead(port, name)))
  const answer = change('1')
  await eventually(() => started.length === 1)
  release()
  t.equal((await answer).statusCode, 200)
  for (const socket of sockets) socket.destroy()
})

t.test('a client that leaves while it waits is passed over', async (t) => {
  const { app, change, started, release } = await setUp(t, 60_000)
  const { port } = app.server.address() as AddressInfo // TCP always
  const first = [change('1'), change('2')]
  await eventually(() => started.length === 2)
  const left = await sendHead(port, 'left')
  const arrived = () => new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)))
  await eventually(async () => (await arrived()) === 1)
  left.write('{}')
  left.destroy()
  await eventually(async () => (await arrived()) === 0)
  const last = change('3')
  release()
  await eventually(() => started.length === 3)
  release()
  release()
  await Promise.all([...first, last])
  t.same(started, ['1', '2', '3'])
})

t.test('changes that take long give their places to others, and are answered all the same', async (t) => {
  const { change, started, release } = await setUp(t, 60_000, 100)
  const stuck = ['1', '2', '3', '4'].map(change)
  await eventually(() => started.length === 4)
  for (let n = 0; n < 4; n += 1) release()
  t.same(
    (await Promise.all(stuck)).map(({ statusCode }) => statusCode),
    [200, 200, 200, 200],
  )
})

t.test('a change that is refused gives its place to the next while its refusal is held back', async (t) => {
  const app = Fastify()
  readClientInfo(app, [])
  answerWithProblems(app)
  queueChanges(app, {}, { maxInProgress: 1, maxWaitMs: 60_000, maxPlaceMs: 60_000 })
  enforceDeadlines(app)
  withQueuedChanges(app)
  await app.register(paceRefusals, { refusalPace: () => 60_000 })
  let refused = 0
  app.put('/refused', async () => {
    refused += 1
    throw overloaded('writes')
  })
  app.put('/written', async () => 'written')
  t.teardown(() => app.close())
  const put = (url: string) => app.inject({ method: 'PUT', url }).then((answer) => answer)
  const held = put('/refused')
  await eventually(() => refused === 1)
  t.equal((await put('/written')).statusCode, 200)
  await app.close()
  t.equal((await held).statusCode, 503)
})
