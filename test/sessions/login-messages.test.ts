import type { CommandStartedEvent } from 'mongodb'
import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { freshDatabase, password, testConfig } from '../helper.ts'

type Client = { on(event: 'commandStarted', listener: (event: CommandStartedEvent) => void): unknown }

/** The command and its collections, such as `update attempts`. */
function describe({ commandName, command }: CommandStartedEvent): string {
  const joined = (command.pipeline ?? []).flatMap((stage: { $unionWith?: { coll: string } }) => stage.$unionWith ?? [])
  const names = [command[commandName], ...joined.map(({ coll }: { coll: string }) => coll)]
  return `${commandName} ${names.join(' ')}`
}

/** Written from time to time, not by a login. */
const isOfLogin = (command: string) => !/(lastSeen|revocations|writers)$/.test(command)

t.test('a login asks MongoDB', async (t) => {
  const { connection } = await freshDatabase(t)
  const commands: string[] = []
  const observeClient = (client: Client) =>
    void client.on('commandStarted', (event) => {
      const command = describe(event)
      if (isOfLogin(command)) commands.push(command)
    })
  const app = await buildApp(await testConfig(connection), { ...connection, observeClient }, pino({ level: 'silent' }))
  t.teardown(() => app.close())
  await app.ready()
  const send = async (url: string, cookies = {}) => {
    commands.length = 0
    return app.inject({ method: 'POST', url, payload: { username: 'ann', password }, cookies })
  }
  const { cookies } = await send('/v1/accounts')
  const device = cookies.find(({ name }) => name === 'device')?.value ?? ''
  const before = 'aggregate credentials activity devices sessions'

  t.test('13 times from a new browser', async (t) => {
    t.equal((await send('/v1/session')).statusCode, 200)
    t.same(
      commands.toSorted(),
      [
        'aggregate activity',
        'aggregate accounts accountCounts secondFactors',
        `${before} attempts throttle`,
        'commitTransaction 1',
        'find emails',
        'find usernames',
        'findAndModify credentials',
        'insert activity',
        'insert devices',
        'insert sessions',
        'update attempts',
        'update attempts',
        'update throttle',
      ].toSorted(),
    )
  })

  t.test('13 times from a known one', async (t) => {
    t.equal((await send('/v1/session', { device })).statusCode, 200)
    t.same(
      commands.toSorted(),
      [
        'aggregate activity',
        'aggregate accounts accountCounts secondFactors',
        'aggregate attempts throttle',
        `${before} devices`,
        'commitTransaction 1',
        'find usernames',
        'findAndModify credentials',
        'insert sessions',
        'update activity',
        'update attempts',
        'update attempts',
        'update devices',
        'update throttle',
      ].toSorted(),
    )
  })
})
