import { createHmac } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MongoClient, UUID } from 'mongodb'
import t from 'tap'
import { views } from '../../src/collections.ts'
import { newId } from '../../src/database/ids.ts'
import { ensureViews } from '../../src/database/views.ts'
import { sessionOwners } from '../../src/sessions/session-owners.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, makeClient, signUp } from '../helper.ts'
import { clocks } from './clocks.ts'
import { logIn, sharedKey, twoServers, verdict } from './servers.ts'

type Claims = { sub: string; sid: string }
type Posts = { items: { viewer: object | null }[] }
type Line = { level: number; msg: string; session?: string }

/** Signs other claims with the servers' key, as its thief could. */
function forge(token: string, changed: Partial<Claims>): string {
  const [header = '', payload = ''] = token.split('.')
  const claims: Claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const signed = `${header}.${Buffer.from(JSON.stringify({ ...claims, ...changed })).toString('base64url')}`
  const signature = createHmac('sha256', `${sharedKey.JWT_SIGN_KEY}`).update(signed).digest('base64url')
  return `${signed}.${signature}`
}

t.test('a stolen sign key', async (t) => {
  const { urls, url, lines, db } = await twoServers(t)
  const there = urls[1]
  const ann = await signUp(url)
  const bob = await signUp(url)
  const { token, id } = await logIn(url, ann.username)
  const { id: sub } = (await bob.client.get<{ id: string }>('v1/account')).body
  await bob.client.post('v1/posts', { json: { text: 'Read me' } })
  const warnings = () =>
    lines.map((line): Line => JSON.parse(line)).filter(({ level, msg }) => level === 40 && /does not exist/.test(msg))

  t.test('signs no account into a session that does not exist, or is of another account', async (t) => {
    for (const server of urls) t.equal(await verdict(server, forge(token, {})), 'live', 'the signature is right')
    const forgeries: Record<string, Partial<Claims>> = {
      'an unknown session': { sid: newId() },
      'the session of another account': { sub },
    }
    for (const [name, changed] of Object.entries(forgeries)) {
      const forged = forge(token, changed)
      const headers = { cookie: `session=${forged}` }
      const before = warnings().length
      for (const server of urls) {
        const client = makeClient(server)
        t.equal(await verdict(client, forged), 'ended', name)
        t.equal((await client.post('v1/posts', { headers, json: { text: 'Forged' } })).statusCode, 401)
        t.equal((await client.get('v1/account/activity', { headers })).statusCode, 401)
        const read = await client.get<Posts>('v1/posts', { headers })
        t.equal(read.headers['rookery-session'], 'invalid')
        t.same(
          read.body.items.map(({ viewer }) => viewer),
          [null],
        )
      }
      t.equal(warnings().length - before, 4, `a warning for each request with ${name}`)
      t.match(warnings().at(-1), { session: changed.sid ?? id })
      t.match(lines.filter((line) => line.includes('authn_token_forged')).at(-1), /"reason":"unknown-session"/)
      t.notOk(lines.join('').includes(forged), 'without the token')
    }
    for (const server of urls) t.equal(await verdict(server, token), 'live')
  })

  t.test('a session that ended elsewhere a moment ago is no warning', async (t) => {
    const before = warnings().length
    for (let n = 0; n < 5; n += 1) {
      const { token } = await logIn(there, ann.username)
      await makeClient(there).delete('v1/session', { headers: { cookie: `session=${token}` } })
      await verdict(url, token)
    }
    t.equal(warnings().length, before)
  })

  t.test('a process looks a session up when it first sees it, and not again', async (t) => {
    const { token } = await logIn(url, ann.username)
    await db.command({ profile: 2 })
    for (let n = 0; n < 20; n += 1) for (const server of urls) t.equal(await verdict(server, token), 'live')
    await db.command({ profile: 0 })
    const names = ['sessions', 'sessionOwners'].map((name) => `${db.databaseName}.${name}`)
    const read = { ns: { $in: names }, op: { $in: ['query', 'command'] } }
    const found = await db.collection('system.profile').find(read).toArray()
    t.equal(found.length, 1, JSON.stringify(found.map(({ ns, op }) => [ns, op])))
    t.match(found, [{ docsExamined: 1, nreturned: 1 }], 'by an index')
  })
})

t.test('the owners of sessions that a process knows', async (t) => {
  const { db, connection } = await freshDatabase(t)
  await ensureViews(db, views)
  async function insert(endsAt = new Date(Date.now() + 3_600_000)): Promise<{ account: string; session: string }> {
    const [account, session] = [newId(), newId()]
    await db.collection<{ _id: UUID }>('sessions').insertOne({
      _id: new UUID(session),
      ...{ account: new UUID(account), endsAt },
    })
    return { account, session }
  }

  t.test('a pair is forgotten after 15 minutes: before the revocation of its session is', async (t) => {
    const { forward } = clocks(t)
    const { recall, lookUp } = sessionOwners(db)
    const owner = await insert()
    t.equal(recall(owner), undefined)
    t.same(await lookUp(owner), { passwordChangeRequired: false })
    t.equal(recall({ ...owner, account: newId() }), undefined)
    forward(899_000)
    t.same(recall(owner), { passwordChangeRequired: false })
    forward(1_001)
    t.equal(recall(owner), undefined)
  })

  t.test('a session that has expired is not found', async (t) => {
    const owner = await insert(new Date(Date.now() - 1))
    t.equal(await sessionOwners(db).lookUp(owner), undefined)
  })

  t.test('100,000 pairs are remembered: the next one replaces the oldest', (t) => {
    const { recall, remember } = sessionOwners(db)
    const owners = Array.from({ length: 100_001 }, (_, n) => ({ account: `${n}`, session: `${n}` }))
    for (const owner of owners) remember(owner, { passwordChangeRequired: false })
    t.same(
      owners.filter((owner) => !recall(owner)),
      owners.slice(0, 1),
    )
    t.end()
  })

  t.test('however many are looked up at once, at most four queries are in flight', async (t) => {
    const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
    const { username, password } = connection
    const uri = proxy.uri(db.databaseName)
    const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin', monitorCommands: true })
    await client.connect()
    t.teardown(() => client.close())
    const inFlight = new Set<number>()
    let most = 0
    client.on('commandStarted', ({ requestId, commandName }) => {
      if (commandName !== 'find') return
      inFlight.add(requestId)
      most = Math.max(most, inFlight.size)
    })
    client.on('commandSucceeded', ({ requestId }) => inFlight.delete(requestId))
    const { lookUp } = sessionOwners(client.db())
    const known = await Promise.all(Array.from({ length: 25 }, () => insert()))
    await lookUp(known[0] ?? { account: '', session: '' })
    proxy.delayReplies(100)
    const lookUps: ReturnType<typeof lookUp>[] = []
    for (let n = 0; n < 200; n += 1) {
      const owner = known[n % known.length]
      if (owner) lookUps.push(lookUp(owner), lookUp({ ...owner, account: newId() }))
      await nextTurn()
    }
    const outcomes = (await Promise.all(lookUps)).map((known) => known !== undefined)
    t.same([...new Set(outcomes.filter((_, n) => n % 2 === 0))], [true])
    t.same([...new Set(outcomes.filter((_, n) => n % 2 === 1))], [false])
    t.ok(most <= 4, `${most} in flight`)
  })
})

t.test('a view that shows something else stops the start with its name; a right one is kept', async (t) => {
  const { db } = await freshDatabase(t)
  await db.createCollection('sessionOwners', { viewOn: 'sessions', pipeline: [] })
  await t.rejects(ensureViews(db, views), { message: /^The view sessionOwners differs/ })
  await db.collection('sessionOwners').drop()
  await Promise.all([ensureViews(db, views), ensureViews(db, views)])
  await t.resolves(ensureViews(db, views))
})
