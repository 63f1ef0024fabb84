import { UUID } from 'mongodb'
import t from 'tap'
import { credentialStore } from '../../src/credentials/store.ts'
import { newId } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { revocationCache } from '../../src/sessions/revocation-cache.ts'
import { sessionStore } from '../../src/sessions/store.ts'
import { eventually } from '../eventually.ts'
import { makeClient, password } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'
import { type Creation, type Request, softwareAuthenticator } from './authenticator.ts'
import { confirm, eventsOf, listPasskeys, loginOptions, origin, passkeyEnv, passkeyUser } from './ceremonies.ts'

type Server = Awaited<ReturnType<typeof twoServers>>

/** As `npm run accounts -- suspend` does. */
const suspend = ({ db }: Server, account: string) =>
  transactor(db.client)(async (transaction) => {
    await credentialStore(db).suspend(account, new Date(), transaction)
    await sessionStore(db, revocationCache(db)).endAll(account, transaction)
  })

/** Sends the same response to both servers, several times each, in one browser’s name. */
async function sendToBoth({ urls }: Server, response: object, cookie: string) {
  const send = (url: string) =>
    makeClient(url).post<{ code?: string }>('v1/session/passkey', { headers: { cookie }, json: { response } })
  const answers = await Promise.all([...urls, ...urls, ...urls].map(send))
  return answers.map(({ statusCode }) => statusCode).sort()
}

t.test('passkeys on two servers', async (t) => {
  const servers = await twoServers(t, passkeyEnv)
  const { db, urls } = servers
  const [url, elsewhere] = urls

  t.test('of six uses of one response at once, one logs in', async (t) => {
    for (const counts of [true, false]) {
      const { authenticator, client } = await passkeyUser(url, { counts })
      const browser = makeClient(url)
      const response = authenticator.get(await loginOptions(browser))
      const statuses = await sendToBoth(servers, response, await browser.jar.getCookieString(url))
      t.same(statuses, [200, 401, 401, 401, 401, 401])
      t.notOk((await eventsOf(client)).includes('passkey-cloned'), 'a replay is no sign of a clone')
    }
  })

  t.test('of two signatures with one count at once, one logs in, and the other is reported', async (t) => {
    const { authenticator, client } = await passkeyUser(url)
    const logIn = async (server: string) => {
      const browser = makeClient(server)
      const response = authenticator.get(await loginOptions(browser), { counter: 7 })
      return () => browser.post('v1/session/passkey', { json: { response } })
    }
    const sends = await Promise.all([logIn(url), logIn(elsewhere)])
    const answers = await Promise.all(sends.map((send) => send()))
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 401])
    t.ok((await eventsOf(client)).includes('passkey-cloned'))
  })

  t.test('of two registrations of one response at once, one adds a passkey', async (t) => {
    const { authenticator, client } = await passkeyUser(url)
    const { body } = await client.post<Creation>('v1/passkeys/options')
    const headers = { cookie: await client.jar.getCookieString(url) }
    const json = { response: authenticator.create(body) }
    const answers = await Promise.all(urls.map((server) => makeClient(server).post('v1/passkeys', { headers, json })))
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [201, 400])
    t.equal((await listPasskeys(client)).items.length, 2)
  })

  t.test('of two that are the 20th at once, in two sessions, one is added', async (t) => {
    const { client, username } = await passkeyUser(url)
    const other = makeClient(elsewhere)
    await other.post('v1/session', { json: { username, password } })
    await confirm(other)
    const passkeys = db.collection<{ _id: UUID }>('passkeys')
    const own = { account: new UUID((await client.get<{ id: string }>('v1/account')).body.id) }
    const first = await passkeys.findOne(own)
    const more = Array.from({ length: 18 }, () => ({ ...first, _id: new UUID(newId()), credential: new UUID() }))
    await passkeys.insertMany(more)
    for (let round = 0; round < 5; round += 1) {
      const clients = [client, other]
      const sends = await Promise.all(
        clients.map(async (sender) => {
          const { body } = await sender.post<Creation>('v1/passkeys/options')
          const response = softwareAuthenticator(origin).create(body)
          return () => sender.post('v1/passkeys', { json: { response } })
        }),
      )
      const answers = await Promise.all(sends.map((send) => send()))
      t.same(answers.map(({ statusCode }) => statusCode).sort(), [201, 403])
      const { items } = await listPasskeys(client, '?limit=1')
      await passkeys.deleteOne({ ...own, _id: new UUID(items[0]?.id) })
    }
  })

  t.test('of two confirmations with one response at once, one confirms', async (t) => {
    const { authenticator, client } = await passkeyUser(url)
    const { body } = await client.post<Request>('v1/session/confirm/options')
    const headers = { cookie: await client.jar.getCookieString(url) }
    const json = { passkey: authenticator.get(body) }
    const answers = await Promise.all(
      urls.map((server) => makeClient(server).post('v1/session/confirm', { headers, json })),
    )
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 401])
  })

  t.test('after a removal, a deletion or a suspension beside a login, no session is left', async (t) => {
    for (const end of ['removal', 'deletion', 'suspension'] as const)
      for (let round = 0; round < 2; round += 1) {
        const { authenticator, client, passkey, username } = await passkeyUser(url)
        const { id } = (await client.get<{ id: string }>('v1/account')).body
        const browser = makeClient(elsewhere)
        const response = authenticator.get(await loginOptions(browser))
        const ending = {
          removal: () => client.delete(`v1/passkeys/${passkey.id}`),
          deletion: () => client.delete('v1/account'),
          suspension: () => suspend(servers, id),
        }[end]
        const [login] = await Promise.all([browser.post('v1/session/passkey', { json: { response } }), ending()])
        t.ok([200, 401].includes(login.statusCode), `${end}: ${login.statusCode}`)
        const late = makeClient(elsewhere)
        const again = authenticator.get(await loginOptions(late))
        t.equal((await late.post('v1/session/passkey', { json: { response: again } })).statusCode, 401, end)
        if (end === 'removal') continue
        const owners = (await db.collection('sessions').find().toArray()).map(({ account }) => String(account))
        t.notOk(owners.includes(id), `${end} of ${username}`)
        if (end === 'deletion') {
          const owned = (await db.collection('passkeys').find().toArray()).map(({ account }) => String(account))
          t.notOk(owned.includes(id))
        }
      }
  })

  t.test(
    'a passkey that is added beside the deletion of its account or the end of its session is not kept',
    async (t) => {
      for (let round = 0; round < 2; round += 1) {
        const { authenticator, client } = await passkeyUser(url)
        const { id } = (await client.get<{ id: string }>('v1/account')).body
        const { body } = await client.post<Creation>('v1/passkeys/options')
        const headers = { cookie: await client.jar.getCookieString(url) }
        const json = { response: authenticator.create(body) }
        const [added] = await Promise.all([
          makeClient(elsewhere).post('v1/passkeys', { headers, json }),
          client.delete('v1/account'),
        ])
        t.ok([201, 401].includes(added.statusCode), `${added.statusCode}`)
        const own = { account: new UUID(id) }
        t.equal(await db.collection('passkeys').countDocuments(own), 0)
        // The sweeper deletes it.
        await eventually(async () => (await db.collection('activity').countDocuments(own)) === 0)
      }
      const { authenticator, client, username } = await passkeyUser(url)
      const { body } = await client.post<Creation>('v1/passkeys/options')
      const headers = { cookie: await client.jar.getCookieString(url) }
      const other = makeClient(url)
      await other.post('v1/session', { json: { username, password } })
      await confirm(other)
      t.equal((await other.delete('v1/sessions')).statusCode, 204)
      const json = { response: authenticator.create(body) }
      t.equal((await makeClient(url).post('v1/passkeys', { headers, json })).statusCode, 401)
      t.equal((await listPasskeys(other)).items.length, 1)
    },
  )
})
