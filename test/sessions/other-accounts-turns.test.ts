import type { UUID } from 'mongodb'
import t from 'tap'
import { toUuid } from '../../src/database/ids.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'

t.test('what waits for one account holds up no other whose session it carries', { timeout: 120_000 }, async (t) => {
  const { app, db, url } = await testServer(t)
  const accountOf = async () => {
    const { client, username } = await signUp(url)
    const { id } = await client.get('v1/account').json<{ id: string }>()
    return { client, username, id }
  }
  const requests = {
    logout: (cookie: string) => makeClient(url).delete('v1/session', { headers: { cookie } }),
    login: (cookie: string, username: string) =>
      makeClient(url).post('v1/session', { headers: { cookie }, json: { username, password } }),
  }
  for (const [name, send] of Object.entries(requests)) {
    const victim = await accountOf()
    const thief = await accountOf()
    const other = makeClient(url)
    await other.post('v1/session', { json: { username: victim.username, password } })
    const cookies = [...(await other.jar.getCookies(url)), ...(await thief.client.jar.getCookies(`${url}/v1/session`))]
    const stolen = cookies.find(({ key }) => key === 'session')
    const own = cookies.findLast(({ key }) => key === 'refresh')

    // Holds up every change of the thief's account that the request makes.
    const holder = app.mongo.client.startSession()
    holder.startTransaction()
    const held = app.mongo.client.db(db.databaseName)
    await held.collection('sessions').updateMany({ account: toUuid(thief.id) }, { $inc: { x: 1 } }, { session: holder })
    await held
      .collection<{ _id: UUID }>('credentials')
      .updateMany({ _id: toUuid(thief.id) }, { $inc: { x: 1 } }, { session: holder })
    const sent = send(`${stolen}; ${own}`, thief.username).then(() => name)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const edited = victim.client
      .patch('v1/account', { json: { bio: 'unhindered' } })
      .then(({ statusCode }) => statusCode)
    t.equal(await Promise.race([edited, sent]), 200, name)
    await holder.abortTransaction()
    await holder.endSession()
    t.equal(await sent, name)
    t.equal((await other.get('v1/account')).statusCode, 401, 'the session that it carried has ended')
  }
})
