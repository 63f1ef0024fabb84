import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'

type Session = { failures: number; checking?: unknown[] }

/** Sends a request. @returns a function that resets its connection */
async function send(port: number, request: string, headers: Record<string, string>, body = '') {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const all = Object.entries({ host: 'x', ...headers, 'content-length': String(body.length) })
  const head = all.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.write(`${request} HTTP/1.1\r\n${head}\r\n${body}`)
  return () => socket.resetAndDestroy()
}

t.test('a client that disconnects before the response', async (t) => {
  const { app, url, port, db } = await testServer(t, { BCRYPT_COST: '11' })
  const sessions = db.collection<Session>('sessions')
  const statusOf = async (cookie: string) =>
    (await makeClient(url).get('v1/session', { headers: { cookie } })).statusCode
  const confirm = (cookie: string, presented: string) =>
    send(
      port,
      'POST /v1/session/confirm',
      { cookie, 'content-type': 'application/json' },
      JSON.stringify({ password: presented }),
    )

  t.test(
    'a logout takes effect even if the client disconnects while the session is locked',
    { timeout: 120_000 },
    async (t) => {
      const { client } = await signUp(url)
      const cookie = await client.jar.getCookieString(url)
      // Keeps the session locked until the client has disconnected.
      const blocker = app.mongo.client.startSession()
      blocker.startTransaction()
      const lockedSessions = app.mongo.client.db(db.databaseName).collection('sessions')
      await lockedSessions.updateMany({}, { $inc: { failures: 1 } }, { session: blocker })
      const disconnect = await send(port, 'DELETE /v1/session', { cookie })
      await sleep(300)
      disconnect()
      await sleep(300)
      await blocker.abortTransaction()
      await blocker.endSession()
      await eventually(async () => (await sessions.countDocuments()) === 0)
      // The database knows of a commit before the server hears of it.
      await t.resolves(eventually(async () => (await statusOf(cookie)) === 401))
    },
  )

  t.test('a disconnect during the tenth wrong password still ends the session', { timeout: 120_000 }, async (t) => {
    const { client } = await signUp(url)
    const cookie = await client.jar.getCookieString(url)
    await sessions.updateMany({}, { $set: { failures: 9 } })
    const disconnect = await confirm(cookie, 'wrong')
    await eventually(async () => (await sessions.countDocuments({ failures: 9, checking: { $size: 1 } })) === 1)
    disconnect()
    await eventually(async () => (await sessions.countDocuments()) === 0)
    // The database knows of a commit before the server hears of it.
    await t.resolves(eventually(async () => (await statusOf(cookie)) === 401))
  })

  t.test('a disconnect during a right password does not end the session', async (t) => {
    const { client } = await signUp(url)
    const cookie = await client.jar.getCookieString(url)
    const disconnect = await confirm(cookie, password)
    await eventually(async () => (await sessions.countDocuments({ checking: { $size: 1 } })) === 1)
    disconnect()
    await sleep(1_000)
    t.equal(await statusOf(cookie), 200)
  })
})
