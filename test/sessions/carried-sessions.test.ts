import { randomBytes } from 'node:crypto'
import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { logIn } from './servers.ts'
import { carried } from './set-cookies.ts'

type Activity = { items: { event: string; ip: string }[] }

t.test('a session that ends because its browser logs in to another account', async (t) => {
  const { url, lines } = await testServer(t, { SECURITY_LOG: 'stdout' })
  const eventsOf = async ({ client }: Awaited<ReturnType<typeof signUp>>) =>
    (await client.get<Activity>('v1/account/activity')).body.items.map(({ event }) => event)
  /** The accounts whose sessions have ended early, with the reason. */
  const ended = () =>
    lines
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event === 'session_expired')
      .map(({ account, detail }) => [account, detail.reason])

  async function victim() {
    const user = await signUp(url)
    const { id } = (await user.client.get<{ id: string }>('v1/account')).body
    return { ...user, id, headers: carried((await logIn(url, user.username)).cookies, 'refresh') }
  }

  t.test('at a login is a logout in its account’s activity, and in the security log', async (t) => {
    const [ann, bob] = [await victim(), await signUp(url)]
    lines.length = 0
    const json = { username: bob.username, password }
    t.equal((await makeClient(url).post('v1/session', { json, headers: ann.headers })).statusCode, 200)
    t.same(await eventsOf(ann), ['logout', 'login', 'account-created'])
    t.same(await eventsOf(bob), ['login', 'account-created'])
    t.same(ended(), [[ann.id, 'logout']])
  })

  t.test('at a sign-up is one, too', async (t) => {
    const ann = await victim()
    lines.length = 0
    const json = { username: `u${randomBytes(6).toString('hex')}`, password }
    t.equal((await makeClient(url).post('v1/accounts', { json, headers: ann.headers })).statusCode, 201)
    t.same(await eventsOf(ann), ['logout', 'login', 'account-created'])
    t.same(ended(), [[ann.id, 'logout']])
  })

  t.test('at a login to the same account is none: the login is there', async (t) => {
    const ann = await victim()
    lines.length = 0
    const json = { username: ann.username, password }
    t.equal((await makeClient(url).post('v1/session', { json, headers: ann.headers })).statusCode, 200)
    t.notOk((await eventsOf(ann)).includes('logout'))
    t.same(ended(), [])
  })
})
