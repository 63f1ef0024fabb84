import { connect } from 'node:net'
import { Writable } from 'node:stream'
import t from 'tap'
import { createLogger } from '../../src/operations/logging.ts'
import { eventually } from '../eventually.ts'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf, field } from '../http/wire.ts'

type Line = {
  msg: string
  method?: string
  path?: string
  status?: number
  ms?: number
  account?: string
  reqId?: string
}

t.test('the log of a complete session', async (t) => {
  const { port, db, lines } = await testServer(t)
  const secrets = new Set([
    password,
    'wrong password of ann',
    'private-in-the-query',
    'private-in-a-header',
    'key-of-ann',
  ])
  const requests: [string, string, number][] = []
  let cookie = ''
  const step = async (method: string, path: string, options: Parameters<typeof ask>[3] = {}) => {
    const answer = await ask(port, method, path, { ...options, headers: { cookie, ...options.headers } })
    requests.push([method, path.split('?')[0] ?? '', answer.status])
    const cookies = (answer.headers['set-cookie'] ?? []).map((header) => header.split(';')[0] ?? '')
    if (cookies.length > 0) cookie = cookies.join('; ')
    for (const pair of cookies) secrets.add(pair.split('=')[1] || password)
    return answer
  }

  const account = field((await step('POST', '/v1/accounts', { json: { username: 'ann', password } })).body, 'id')
  await step('POST', '/v1/session', { json: { username: 'ann', password: 'wrong password of ann' } })
  await step('POST', '/v1/session', { json: { username: 'ann', password } })
  await step('POST', '/v1/session/refresh')
  await step('POST', '/v1/session/confirm', { json: { password } })
  await step('GET', '/v1/posts?cursor=private-in-the-query')
  await step('GET', '/v1/account', { headers: { authorization: 'Bearer private-in-a-header', 'x-api-key': password } })
  const post = await step('POST', '/v1/posts', { json: { text: 'x' }, headers: { 'idempotency-key': 'key-of-ann' } })
  for (const { password: stored } of await db.collection('credentials').find().toArray()) secrets.add(stored.bcrypt)
  for (const session of await db.collection('sessions').find().toArray()) {
    for (const name of ['family', 'turn']) {
      secrets.add(session[name].toString('hex'))
      secrets.add(session[name].toString('base64'))
    }
  }
  await db.collection('posts').updateOne({}, { $set: { text: { private: password } } })
  await step('GET', `/v1/posts/${field(post.body, 'id')}`)
  await db.collection('credentials').updateOne({}, { $set: { password: { bcrypt: 'private-in-the-query' } } })
  await step('POST', '/v1/session', { json: { username: 'ann', password } })
  await step('DELETE', '/v1/session')
  await step('POST', '/v1/session', {
    headers: { 'content-type': 'application/json' },
    body: `{"password":"${password}`,
  })
  t.ok(requests.filter(([, , status]) => status === 500).length >= 1, 'at least one request fails with 500')

  t.test('each request has one line: method, path without query, status, ms, account', async (t) => {
    const logged = lines.map((line): Line => JSON.parse(line)).filter(({ status }) => status !== undefined)
    t.same(
      logged.map(({ method, path, status }) => [method, path, status]),
      requests,
    )
    const authenticated = logged.filter((line) => line.account !== undefined)
    t.ok(authenticated.length >= 4 && authenticated.every((line) => line.account === account))
    for (const { ms, msg, method, path, status, reqId } of logged) {
      t.type(ms, 'number')
      t.match(reqId, /^[0-9a-f-]{36}$/)
      t.ok(msg.startsWith(`${method?.padEnd(6)} ${path} ${status} ${ms} ms`), msg)
    }
  })

  t.test('no line contains a password, cookie, token, key or hash', async (t) => {
    const log = lines.join('\n')
    t.ok(secrets.size >= 15, `${secrets.size} secrets`)
    for (const secret of secrets) t.notOk(log.includes(secret), secret.slice(0, 12))
    t.notMatch(log, /\$2[aby]\$|"cookie"|"set-cookie"|"headers"/)
  })
})

t.test('the request of a client that disconnects is logged with status 499', async (t) => {
  const { port, lines } = await testServer(t, { BCRYPT_COST: '12' })
  await cookieOf(port, 'ann')
  const body = JSON.stringify({ username: 'ann', password })
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  const head = 'POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
  socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`, () => socket.resetAndDestroy())
  const found = () => lines.find((line) => line.includes('"path":"/v1/session"'))
  await eventually(() => found() !== undefined)
  t.match(found(), /"status":499/)
})

t.test('members named like a secret are redacted at every level', async (t) => {
  for (const readable of [true, false]) {
    let text = ''
    const sink = new Writable({
      write(line, _encoding, done) {
        text += line
        done()
      },
    })
    const log = createLogger({ level: 'debug', readable }, sink)
    const secret = 'should-not-be-seen'
    log.info(
      { password: secret, headers: { cookie: secret, 'set-cookie': [secret] }, a: { b: { token: secret } } },
      'x',
    )
    log.debug({ currentPassword: secret, newPassword: secret, authorization: secret, secret }, 'y')
    log.error({ err: Object.assign(new Error('the message'), { document: secret, cause: secret }) }, 'z')
    t.notMatch(text, secret, `readable: ${readable}`)
    t.match(text, /redacted[\s\S]*the message/)
  }
})
