import { type Filter, UUID } from 'mongodb'
import t, { type Test } from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { logIn } from './servers.ts'
import { carried } from './set-cookies.ts'

type Lockable = { _id: UUID; account: UUID; locks: number }

t.test('a session that ends while its request waits in a transaction', async (t) => {
  const { url, db } = await testServer(t)
  await db.command({ profile: 2 })
  const conflicts = () => db.collection('system.profile').countDocuments({ errCode: 112 })

  /** Transactions that write the document conflict until the function that it returns is called. */
  async function lock(t: Test, collection: string, filter: Filter<Lockable>): Promise<() => Promise<void>> {
    const session = db.client.startSession()
    t.teardown(() => session.endSession())
    session.startTransaction()
    const documents = db.collection<Lockable>(collection)
    const { matchedCount } = await documents.updateOne(filter, { $inc: { locks: 1 } }, { session })
    t.equal(matchedCount, 1)
    return () => session.abortTransaction()
  }

  /** A thief's session, and the owner's, which must live on. */
  async function begin() {
    const { client, username } = await signUp(url)
    await client.post('v1/session/confirm', { json: { password } })
    type LoggedIn = { account: { id: string }; session: { id: string } }
    const { account, session } = (await client.get<LoggedIn>('v1/session')).body
    const owner = await logIn(url, username)
    return { client, account: new UUID(account.id), session: new UUID(session.id), owner }
  }

  type Begun = Awaited<ReturnType<typeof begin>>
  type Case = {
    locked: (begun: Begun) => [collection: string, filter: Filter<Lockable>]
    send: (begun: Begun) => PromiseLike<{ statusCode: number }>
  }
  const cases: Record<string, Case> = {
    'ends no other by its id': {
      locked: ({ owner }) => ['sessions', { _id: new UUID(owner.id) }],
      send: ({ client, owner }) => client.delete(`v1/sessions/${owner.id}`),
    },
    'does not end all others': {
      locked: ({ account }) => ['credentials', { _id: account }],
      send: ({ client }) => client.delete('v1/sessions'),
    },
    'does not log out everywhere': {
      locked: ({ account }) => ['credentials', { _id: account }],
      send: ({ client }) => client.delete('v1/session?everywhere=true'),
    },
    'forgets no device': {
      locked: ({ account }) => ['devices', { account }],
      send: ({ client }) => client.delete('v1/devices'),
    },
  }

  for (const [title, { locked, send }] of Object.entries(cases)) {
    t.test(title, async (t) => {
      const begun = await begin()
      const { account, session, owner } = begun
      const countDevices = () => db.collection('devices').countDocuments({ account })
      const devices = await countDevices()
      const unlock = await lock(t, ...locked(begun))
      const before = await conflicts()
      const answer = send(begun)
      await eventually(async () => (await conflicts()) > before)
      await db.collection<Lockable>('sessions').deleteOne({ _id: session })
      await unlock()
      t.equal((await answer).statusCode, 401)
      const read = await makeClient(url).get('v1/session', { headers: carried(owner.cookies, 'session') })
      t.equal(read.statusCode, 200)
      t.equal(await countDevices(), devices)
    })
  }
})
