import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { freshDatabase, makeClient, signUp } from '../helper.ts'
import { logIn, serverOn, verdict } from './servers.ts'

t.test('a request whose body arrives after its session has ended gets 401 and writes nothing', async (t) => {
  const { db, connection } = await freshDatabase(t)
  const [here, there] = [await serverOn(t, connection), await serverOn(t, connection)]
  const { username } = await signUp(here)
  const body = JSON.stringify({ text: 'too late' })
  const other = await logIn(here, (await signUp(here)).username)

  for (const url of [here, there]) {
    const { token } = await logIn(here, username)
    const cookie = `session=${token}`
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    t.teardown(() => socket.destroy())
    const head = ['POST /v1/posts HTTP/1.1', 'Host: x', 'Content-Type: application/json', 'Expect: 100-continue']
    // Another account's live session, which must not take the request over.
    socket.write(
      `${head.join('\r\n')}\r\nCookie: session=${other.token}; ${cookie}\r\nContent-Length: ${body.length}\r\n\r\n`,
    )
    t.match(String(await once(socket, 'data')), '100 Continue')
    // Node answers before the session is looked up. That of a later request takes as long: when it is done, so is this.
    t.equal(await verdict(url, token), 'live')
    t.equal((await makeClient(here).delete('v1/session', { headers: { cookie } })).statusCode, 204)
    await delay(1_000)
    socket.write(body)
    t.match(String(await once(socket, 'data')), 'HTTP/1.1 401')
  }
  t.equal(await db.collection('posts').countDocuments(), 0)
})
