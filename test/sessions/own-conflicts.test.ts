import type { Got } from 'got'
import type { Db } from 'mongodb'
import t, { type Test } from 'tap'
import { newId } from '../../src/database/ids.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { mailFolder, verifyAddress } from '../mail/mailbox.ts'
import { confirmBy, logInBy, passkeyEnv, passkeyUser } from '../passkeys/ceremonies.ts'

const atOnce = 30

/** How many writes met one of another transaction since profiling began: each runs its transaction again. */
const conflicts = (db: Db) =>
  db.collection('system.profile').countDocuments({ errCode: 112, ns: { $not: /\.(lastSeen|revocations)$/ } })

const requests = (send: (n: number) => PromiseLike<{ statusCode: number }>): Promise<{ statusCode: number }[]> =>
  Promise.all(Array.from({ length: atOnce }, (_, n) => send(n)))

async function confirm(client: Got): Promise<void> {
  const { statusCode } = await client.post('v1/session/confirm', { json: { password } })
  if (statusCode !== 200) throw new Error(`the confirmation answered ${statusCode}`)
}

t.test('changes that one account sends at once do not make each other run again', async (t) => {
  const box = await mailFolder(t)
  const { url, db } = await testServer(t, { ...passkeyEnv, ...box.env })

  async function expectNoConflict(t: Test, expected: number, send: (n: number) => PromiseLike<{ statusCode: number }>) {
    await db.command({ profile: 2 })
    t.teardown(async () => {
      await db.command({ profile: 0 })
      await db.dropCollection('system.profile')
    })
    const answers = await requests(send)
    t.same([...new Set(answers.map(({ statusCode }) => statusCode))], [expected])
    t.equal(await conflicts(db), 0)
  }

  t.test('of the profile', async (t) => {
    const { client } = await signUp(url)
    await expectNoConflict(t, 200, (n) => client.patch('v1/account', { json: { bio: `Bio ${n}.` } }))
  })

  t.test('logouts', async (t) => {
    const { client } = await signUp(url)
    const cookie = await client.jar.getCookieString(url)
    await expectNoConflict(t, 204, () => client.delete('v1/session', { cookieJar: undefined, headers: { cookie } }))
  })

  t.test('ends of all other sessions', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    await expectNoConflict(t, 204, () => client.delete('v1/sessions'))
  })

  t.test('of the name of a device', async (t) => {
    const { client } = await signUp(url)
    const { items } = (await client.get<{ items: { id: string }[] }>('v1/devices')).body
    await expectNoConflict(t, 200, (n) => client.patch(`v1/devices/${items[0]?.id}`, { json: { name: `Laptop ${n}` } }))
  })

  t.test('that forget all devices', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    await expectNoConflict(t, 204, () => client.delete('v1/devices'))
  })

  t.test('that forget a device which is not there', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    await expectNoConflict(t, 404, () => client.delete(`v1/devices/${newId()}`))
  })

  t.test('deletions of the account', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    const cookie = await client.jar.getCookieString(url)
    await db.command({ profile: 2 })
    await requests(() => client.delete('v1/account', { cookieJar: undefined, headers: { cookie } }))
    await db.command({ profile: 0 })
    t.equal(await conflicts(db), 0)
    await db.dropCollection('system.profile')
  })

  t.test('confirmations of its sessions with one passkey', async (t) => {
    const { authenticator } = await passkeyUser(url, { counts: false })
    const clients = await Promise.all(
      Array.from({ length: atOnce }, async () => {
        const client = makeClient(url)
        await logInBy(client, authenticator)
        return client
      }),
    )
    await expectNoConflict(t, 200, (n) => confirmBy(clients[n] ?? makeClient(url), authenticator))
  })

  t.test('notices of a copied passkey', async (t) => {
    const user = await passkeyUser(url)
    await verifyAddress(url, user, box, `${user.username}@mail.example`)
    await expectNoConflict(t, 401, () => logInBy(makeClient(url), user.authenticator, { counter: 1 }))
  })

  t.test('ends of the session whose refresh token was used again', async (t) => {
    const { client } = await signUp(url)
    const cookie = await client.jar.getCookieString(`${url}/v1/session/refresh`)
    await client.post('v1/session/refresh')
    await client.post('v1/session/refresh')
    await expectNoConflict(t, 401, () =>
      client.post('v1/session/refresh', { cookieJar: undefined, headers: { cookie } }),
    )
  })
})
