import { MongoClient } from 'mongodb'
import t, { type Test } from 'tap'
import { startHttpProxy } from '../../gateway/http-proxy.ts'
import { clientOptions } from '../../src/database/connection.ts'
import { newId } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { freePort } from '../../src/processes/free-port.ts'
import { roleNameOf, serviceRoles } from '../../src/service-roles.ts'
import { type ServiceName, serviceNames } from '../../src/services.ts'
import { sessionOwners } from '../../src/sessions/session-owners.ts'
import { localWriter } from '../../src/write-operations.ts'
import { external, startCommand } from '../cli/start-command.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, signUp } from '../helper.ts'
import { useEveryRoute } from './every-route.ts'
import { startService, startServices } from './two-services.ts'
import { startProfile, usedActions } from './used-actions.ts'
import { createRoles, createUser } from './users.ts'

/** Such as `posts find`. */
const privilegesOf = (database: string, service: ServiceName) =>
  serviceRoles(database)
    .filter(({ name }) => name === roleNameOf(service))
    .flatMap(({ privileges }) => privileges)
    .flatMap(({ resource, actions }) => actions.map((action) => `${resource.collection} ${action}`))

const ofAccounts = [
  'credentials',
  'sessions',
  'devices',
  'emails',
  'outbox',
  'activity',
  'attempts',
  'audit',
  'keys',
  'secondFactors',
]

t.test('two services whose database users have only their roles', { timeout: 120_000 }, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const { databaseName } = db
  await createRoles(t, connection, databaseName)
  await t.resolves(createRoles(t, connection, databaseName), 'roles that exist are updated')
  const userOf = (service: ServiceName) => createUser(t, connection, [{ role: roleNameOf(service), db: databaseName }])
  const users = { accounts: await userOf('accounts'), posts: await userOf('posts') }
  await startProfile(db)
  const services = await startServices(t, users)
  const addresses = { accounts: new URL(services.accounts.url).host, posts: new URL(services.posts.url).host }
  const port = await freePort('127.0.0.1')
  const gateway = await startHttpProxy({ host: '127.0.0.1', port, addresses })
  t.teardown(() => gateway.close())
  const url = `http://127.0.0.1:${port}`

  async function connectAs(t: Test, service: ServiceName): Promise<MongoClient> {
    const client = new MongoClient(connection.uri, clientOptions(users[service]))
    await client.connect()
    t.teardown(() => client.close())
    return client
  }

  t.test('serve the API through the gateway', async (t) => {
    await useEveryRoute(t, url)
    const swept = { sweptAt: { $exists: true } }
    for (const name of ['removedAccounts', 'removedPosts'])
      await eventually(async () => (await db.collection(name).countDocuments(swept)) > 0)
  })

  t.test('a session that ends in accounts is dead in posts within a second', async (t) => {
    const { client } = await signUp(url, 'cat_splits')
    const cookie = await client.jar.getCookieString(url)
    const ask = async () => (await fetch(`${services.posts.url}/v1/timeline`, { headers: { cookie } })).status
    t.equal(await ask(), 200)
    t.equal((await client.delete('v1/session')).statusCode, 204)
    const endedAt = performance.now()
    let lastLiveAt = endedAt
    await eventually(async () => {
      const sentAt = performance.now()
      const status = await ask()
      if (status === 200) lastLiveAt = sentAt
      return status === 401
    })
    t.ok(lastLiveAt - endedAt <= 1_000, `last accepted after ${Math.round(lastLiveAt - endedAt)} ms`)
  })

  t.test('the user of posts cannot read what belongs to accounts, nor write what it only reads', async (t) => {
    const client = await connectAs(t, 'posts')
    const own = client.db(databaseName)
    const refused = { code: 13 }
    for (const name of ofAccounts) {
      await t.rejects(own.collection(name).find().toArray(), refused, name)
      const stages = [{ $lookup: { from: name, pipeline: [], as: 'joined' } }]
      await t.rejects(own.collection('posts').aggregate(stages).toArray(), refused, `${name}, joined`)
    }
    for (const name of ['accounts', 'usernames', 'removedAccounts'])
      await t.rejects(own.collection(name).updateOne({}, { $set: { changed: true } }), refused, name)
    await t.rejects(own.collection('accountCounts').deleteMany({}), refused)
    await t.rejects(own.dropDatabase(), refused)
    await t.rejects(client.db('admin').command({ createUser: 'another', pwd: 'another', roles: [] }), refused)
  })

  t.test('of sessions, the user of posts sees which account each belongs to, and until when', async (t) => {
    await signUp(url, 'dan_splits')
    const own = (await connectAs(t, 'posts')).db(databaseName)
    const found = await own.collection('sessionOwners').find().toArray()
    t.ok(found.length > 0)
    for (const owner of found) t.same(Object.keys(owner).sort(), ['_id', 'account', 'endsAt'])
    const refused = { code: 13 }
    await t.rejects(own.collection<{ account: string }>('sessionOwners').insertOne({ account: '' }), refused)
    await t.rejects(own.command({ collMod: 'sessionOwners', viewOn: 'credentials', pipeline: [] }), refused)
    await t.rejects(own.collection('sessionOwners').drop(), refused)
    await t.rejects(own.createCollection('mine', { viewOn: 'credentials' }), refused)
  })

  t.test('what only concurrent requests, or those of several processes, cause is allowed, too', async (t) => {
    const ofAccounts = (await connectAs(t, 'accounts')).db(databaseName)
    const unknown = { account: newId(), session: newId() }
    t.equal(await sessionOwners(ofAccounts).lookUp(unknown), undefined)
    const writerOf = async (service: ServiceName) => {
      const client = await connectAs(t, service)
      return localWriter(client.db(databaseName), transactor(client))
    }
    const posts = await writerOf('posts')
    const [from, to] = [newId(), newId()]
    const follow = (follows: boolean) => posts.follow({ from, to, follows, order: newId() })
    await follow(true)
    // The first is a batch of its own, so that the others share one: the follow gets another order key.
    await t.resolves(Promise.all([follow(true), follow(false), follow(true)]))
    const accounts = await writerOf('accounts')
    t.same(await accounts.deletePost({ id: newId(), post: newId(), by: from }), { outcome: 'not-found' })
  })

  t.test(
    'an operator’s commands need no more than the role of accounts, which cannot change the audit log',
    async (t) => {
      const { username } = await signUp(url)
      const env = external(users.accounts)
      for (const args of [
        ['show'],
        ['unlock'],
        ['end-sessions'],
        ['suspend'],
        ['unsuspend'],
        ['reset-factors'],
        ['remove-email'],
        ['delete', '--yes'],
      ]) {
        const [name = '', ...options] = args
        const { code, error } = await startCommand(t, 'cli/accounts.ts', env, [name, username, ...options]).ended
        t.match({ code, error }, { code: 0, error: /^{[^\n]+"event":"authz_admin"[^\n]+\n$/ }, name)
      }
      const audit = (await connectAs(t, 'accounts')).db(databaseName).collection('audit')
      const refused = { code: 13 }
      await t.rejects(audit.find().toArray(), refused)
      await t.rejects(audit.deleteMany({}), refused)
      await t.rejects(audit.updateMany({}, { $set: { user: 'another' } }), refused)
      t.equal(await db.collection('audit').countDocuments(), 8)
    },
  )

  t.test('every privilege is used, and the services warn of nothing', async (t) => {
    for (const service of serviceNames) {
      const used = await usedActions(db, users[service].username)
      const needed = privilegesOf(databaseName, service).filter((privilege) => !/ (create|list)/.test(privilege))
      // MongoDB does not profile the opening of a change stream; without the privilege, each attempt is a warning.
      const unused = needed.filter((privilege) => !used.has(privilege) && !privilege.endsWith(' changeStream'))
      t.same(unused, [], service)
      t.same(
        services[service].lines.filter(
          (line) => /"level":[4-6]0/.test(line) && !/"log":"security"|forwarding headers/.test(line),
        ),
        [],
      )
    }
  })
})

t.test('each service starts alone on an empty database, and uses every privilege for it', async (t) => {
  for (const service of serviceNames) {
    const { db, connection } = await freshDatabase(t)
    const { databaseName } = db
    await createRoles(t, connection, databaseName)
    const user = await createUser(t, connection, [{ role: roleNameOf(service), db: databaseName }])
    await startProfile(db)
    await startService(t, service, user)
    const used = await usedActions(db, user.username)
    const needed = privilegesOf(databaseName, service).filter((privilege) => /\S (create|list)/.test(privilege))
    t.ok(needed.length > 0)
    t.same(
      needed.filter((privilege) => !used.has(privilege)),
      [],
      service,
    )
  }
})
