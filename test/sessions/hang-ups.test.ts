import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'

type Session = { failures: number }

/** Sends a request, and gives what resets its connection. */
async function send(port: number, request: string, headers: Record<string, string>, body = '') {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const all = Object.entries({ host: 'x', ...headers, 'content-length': String(body.length) })
  const head = all.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.write(`${request} HTTP/1.1\r\n${head}\r\n${body}`)
  return () => socket.resetAndDestroy()
}

t.test('whoever hangs up before the answer', async (t) => {
  const { app, url, port, db } = await testServer(t, { BCRYPT_COST: '11' })
  const sessions = db.collection<Session>('sessions')
  const statusOf = async (cookie: string) =>
    (await makeClient(url).get('v1/session', { headers: { cookie } })).statusCode
  const confirm = (cookie: string, given: string) =>
    send(
      port,
      'POST /v1/session/confirm',
      { cookie, 'content-type': 'application/json' },
      JSON.stringify({ password: given }),
    )
  const until = async (condition: () => Promise<boolean>) => {
    await eventually(condition)
  }

  t.test('is logged out all the same', { timeout: 120_000 }, async (t) => {
    const { client } = await signUp(url)
    const cookie = await client.jar.getCookieString(url)
    // Somebody who keeps the session locked until the client has left.
    const blocker = app.mongo.client.startSession()
    blocker.startTransaction()
    const same = app.mongo.client.db(db.databaseName).collection('sessions')
    await same.updateMany({}, { $inc: { failures: 1 } }, { session: blocker })
    const leave = await send(port, 'DELETE /v1/session', { cookie })
    await sleep(300)
    leave()
    await sleep(300)
    await blocker.abortTransaction()
    await blocker.endSession()
    await until(async () => (await sessions.countDocuments()) === 0)
    // The database knows of a commit before the server hears of it.
    await t.resolves(eventually(async () => (await statusOf(cookie)) === 401))
  })

  t.test('has had the tenth try to give the password', { timeout: 120_000 }, async (t) => {
    const { client } = await signUp(url)
    const cookie = await client.jar.getCookieString(url)
    await sessions.updateMany({}, { $set: { failures: 9 } })
    const leave = await confirm(cookie, 'wrong')
    await until(async () => (await sessions.countDocuments({ failures: 10 })) === 1)
    leave()
    await until(async () => (await sessions.countDocuments()) === 0)
    // The database knows of a commit before the server hears of it.
    await t.resolves(eventually(async () => (await statusOf(cookie)) === 401))
  })

  t.test('and keeps the session if it was not the last', async (t) => {
    const { client } = await signUp(url)
    const cookie = await client.jar.getCookieString(url)
    const leave = await confirm(cookie, password)
    await until(async () => (await sessions.countDocuments({ failures: 1 })) === 1)
    leave()
    await sleep(1_000)
    t.equal(await statusOf(cookie), 200)
  })
})
