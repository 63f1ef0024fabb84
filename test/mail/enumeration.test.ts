import type { CommandStartedEvent } from 'mongodb'
import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { freshDatabase, signUp, testConfig } from '../helper.ts'
import { serverOn, sharedKey } from '../sessions/servers.ts'
import { mailFolder, signUpWithAddress } from './mailbox.ts'

/** The shape of a value: what an observer of its cost could learn. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value !== 'object' || value === null) return typeof value
  if (Object.getPrototypeOf(value) !== Object.prototype) return value.constructor.name
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shapeOf(member)]))
}

const ignored = new Set(['lsid', 'txnNumber', '$clusterTime', '$db', 'maxTimeMS'])

t.test('a request to reset a password answers and asks MongoDB the same, whatever exists', async (t) => {
  const box = await mailFolder(t)
  const { connection } = await freshDatabase(t)
  // Another server, which sends the mails: this one does nothing but what the requests cause.
  const url = await serverOn(t, connection, box.env)
  const commands: object[] = []
  const observed = {
    ...connection,
    observeClient: (client: { on(event: 'commandStarted', listener: (event: CommandStartedEvent) => void): unknown }) =>
      void client.on('commandStarted', ({ command }) => {
        const members = Object.entries(command).filter(([key]) => !ignored.has(key))
        commands.push(
          Object.fromEntries(members.map(([key, value]) => [key, key === members[0]?.[0] ? value : shapeOf(value)])),
        )
      }),
  }
  const config = await testConfig(connection, { ...sharedKey, ...box.env })
  const app = await buildApp(config, observed, pino({ level: 'silent' }))
  t.teardown(() => app.close())
  await app.ready()

  const withAddress = await signUpWithAddress(url, box)
  const withoutAddress = await signUp(url)
  const ask = async (username: string) => {
    commands.length = 0
    const { statusCode, body, headers } = await app.inject({
      method: 'POST',
      url: '/v1/password-reset',
      payload: { username },
    })
    const { 'x-request-id': _, date: __, ratelimit: ___, ...rest } = headers
    return { answer: { statusCode, body, headers: rest }, commands: [...commands] }
  }
  await ask('warms_up')
  const known = await ask(withAddress.username)
  t.ok(known.commands.length >= 5, `${known.commands.length} commands`)
  t.equal(known.answer.statusCode, 202)
  for (const name of [withoutAddress.username, 'no_such_account', withAddress.username])
    t.same(await ask(name), known, name)
})
