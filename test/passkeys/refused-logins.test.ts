import { UUID } from 'mongodb'
import t from 'tap'
import { makeClient, testServer } from '../helper.ts'
import type { Lies } from './authenticator.ts'
import {
  type Client,
  eventsOf,
  type LoggedIn,
  listPasskeys,
  logInBy,
  loginOptions,
  passkeyEnv,
  passkeyUser,
} from './ceremonies.ts'

const refusedDetail = 'The passkey was not accepted: ask for new options, and try again.'

t.test('logins with a passkey that are refused', async (t) => {
  const { db, url } = await testServer(t, passkeyEnv)

  const send = (client: Client, response: object) => client.post<LoggedIn>('v1/session/passkey', { json: { response } })

  t.test('every wrong response gets the one answer, and sets no cookie', async (t) => {
    const { authenticator, client } = await passkeyUser(url)
    const other = await passkeyUser(url)
    const before = (await eventsOf(client)).length
    const lies: Record<string, Lies> = {
      'another origin': { origin: 'https://evil.example' },
      'a frame of another site': { crossOrigin: true },
      'another relying party': { rpId: 'evil.example' },
      'another ceremony': { type: 'webauthn.create' },
      'another challenge': { challenge: 'x'.repeat(43) },
      'no user verification': { userVerified: false },
      'no user presence': { userPresent: false },
      'a key that suddenly can be backed up': { backedUp: true },
    }
    const answers = Object.entries(lies).map(
      async ([name, lie]) => [name, await logInBy(makeClient(url), authenticator, lie)] as const,
    )
    const by = async (name: string, change: (response: ReturnType<typeof authenticator.get>) => object) => {
      const browser = makeClient(url)
      const response = authenticator.get(await loginOptions(browser))
      return [name, await send(browser, change(response))] as const
    }
    const userHandle = other.authenticator.credentials[0]?.userHandle
    for (const [name, { statusCode, body, headers }] of await Promise.all([
      ...answers,
      by('a signature of nothing', (r) => ({ ...r, response: { ...r.response, signature: 'AAAA' } })),
      by('no user handle', ({ response: { userHandle: _, ...rest }, ...r }) => ({ ...r, response: rest })),
      by('an empty account', (r) => ({ ...r, response: { ...r.response, userHandle: 'AA' } })),
      by('another account', (r) => ({ ...r, response: { ...r.response, userHandle } })),
      by('another passkey', (r) => ({ ...r, id: other.authenticator.credentials[0]?.id.toString('base64url') })),
      by('no authenticator data', (r) => ({ ...r, response: { ...r.response, authenticatorData: 'AA' } })),
      by('no client data', (r) => ({ ...r, response: { ...r.response, clientDataJSON: 'bm8' } })),
      logInBy(makeClient(url), authenticator, {}, { username: other.username }).then(
        (a) => ['not the named', a] as const,
      ),
      logInBy(makeClient(url), authenticator, {}, { username: 'no_account' }).then((a) => ['no such name', a] as const),
    ])) {
      t.match(
        { statusCode, body },
        { statusCode: 401, body: { code: 'invalid-credentials', detail: refusedDetail } },
        name,
      )
      t.equal(headers['set-cookie'], undefined, name)
    }
    t.equal((await eventsOf(client)).length, before, 'nothing that strangers do fills the activity')
    t.equal((await logInBy(makeClient(url), authenticator)).statusCode, 200, 'and without a lie')
  })

  t.test('every malformed member is 400 at its pointer, and uses nothing up', async (t) => {
    const { authenticator } = await passkeyUser(url)
    const browser = makeClient(url)
    const response = authenticator.get(await loginOptions(browser))
    const inner = (member: string, value: unknown) => ({
      ...response,
      response: { ...response.response, [member]: value },
    })
    for (const [pointer, json] of [
      ['/body/response', {}],
      ['/body/response', { response: [] }],
      ['/body/more', { response, more: 1 }],
      ['/body/username', { response, username: 5 }],
      ['/body/response/id', { response: { ...response, id: 'a b' } }],
      ['/body/response/type', { response: { ...response, type: null } }],
      ['/body/response/response', { response: { ...response, response: null } }],
      ...['clientDataJSON', 'authenticatorData', 'signature'].flatMap((member) =>
        ['', '=', 5, null, 'x'.repeat(5_000)].map(
          (value) => [`/body/response/response/${member}`, { response: inner(member, value) }] as const,
        ),
      ),
      ...['', '*', 5, 'x'.repeat(129)].map(
        (value) => ['/body/response/response/userHandle', { response: inner('userHandle', value) }] as const,
      ),
    ] as [string, object][]) {
      const { statusCode, body } = await browser.post<{ errors: { pointer: string }[] }>('v1/session/passkey', { json })
      t.equal(statusCode, 400, JSON.stringify(json))
      t.equal(body.errors[0]?.pointer, pointer, JSON.stringify(json))
    }
    t.equal((await send(browser, response)).statusCode, 200)
  })

  t.test('a counter that goes back is refused, and is an event', async (t) => {
    const { authenticator, client, passkey } = await passkeyUser(url)
    t.equal((await logInBy(makeClient(url), authenticator, { counter: 10 })).statusCode, 200)
    const used = (await listPasskeys(client)).items[0]?.lastUsedAt
    for (const counter of [10, 9, 0])
      t.match(
        await logInBy(makeClient(url), authenticator, { counter }),
        { statusCode: 401, body: { code: 'invalid-credentials', detail: refusedDetail } },
        `${counter}`,
      )
    const { body } = await client.get<{ items: object[] }>('v1/account/activity')
    t.match(body.items[0], { event: 'passkey-cloned', count: 3 })
    t.same((await listPasskeys(client)).items, [{ ...passkey, lastUsedAt: used }])
    t.equal((await logInBy(makeClient(url), authenticator, { counter: 11 })).statusCode, 200)
  })

  t.test('without the key, a lower counter is no event', async (t) => {
    const { authenticator, client } = await passkeyUser(url)
    const browser = makeClient(url)
    const response = authenticator.get(await loginOptions(browser), { counter: 0 })
    const forged = { ...response, response: { ...response.response, signature: 'MEUCIQDB2nKpIiYkxH3bJfJbNQ' } }
    t.equal((await send(browser, forged)).statusCode, 401)
    t.notOk((await eventsOf(client)).includes('passkey-cloned'))
  })

  t.test('a removed passkey, one of a deleted and one of a suspended account log in no more', async (t) => {
    const removed = await passkeyUser(url)
    t.equal((await removed.client.delete(`v1/passkeys/${removed.passkey.id}`)).statusCode, 204)
    const deleted = await passkeyUser(url)
    t.equal((await deleted.client.delete('v1/account')).statusCode, 204)
    const suspended = await passkeyUser(url)
    const { body } = await suspended.client.get<{ id: string }>('v1/account')
    const credentials = db.collection<{ _id: UUID }>('credentials')
    await credentials.updateOne({ _id: new UUID(body.id) }, { $set: { suspendedAt: new Date() } })
    for (const { authenticator } of [removed, deleted, suspended])
      t.match(await logInBy(makeClient(url), authenticator), { statusCode: 401, body: { detail: refusedDetail } })
  })
})
