import t from 'tap'
import { eventually } from '../eventually.ts'
import { faultyServers } from '../fixtures/faulty-servers.ts'
import { makeClient, password, signUp } from '../helper.ts'
import { beginEnrolment, codeOf, confirm } from './authenticator.ts'

type Client = ReturnType<typeof makeClient>
type Body = { code?: string }
type Answer = { statusCode: number; body: Body }

/** Less than a transaction may take. */
const holdMs = 2_500

t.test('beside an enrolment at another server', async (t) => {
  const { proxy, first, second } = await faultyServers(t)

  async function logIn(username: string): Promise<Client> {
    const client = makeClient(first)
    const { statusCode } = await client.post('v1/session', { json: { username, password } })
    if (statusCode !== 200) throw new Error(`the login was answered ${statusCode}`)
    return client
  }

  /**
   * Enrols an app after a request has begun at the first server, and before its command reaches MongoDB. Where the machine is
   * too busy for that, another account does it once more.
   * @param prepare - returns what sends the request
   */
  async function enrolBeside(
    held: { command: string; collection: string },
    prepare: (username: string) => Promise<() => Promise<Answer>>,
  ): Promise<{ client: Client; answer: Answer }> {
    for (;;) {
      const { client, username } = await signUp(second)
      await confirm(client)
      const { secret } = await beginEnrolment(client)
      const send = await prepare(username)
      const fault = proxy.arm({ ...held, effect: { holdMs } })
      const sentAt = performance.now()
      const sending = send()
      await eventually(() => fault.happened() === 1)
      const enrolled = await client.post('v1/second-factor/totp/confirm', { json: { code: codeOf(secret) } })
      const isInTime = performance.now() - sentAt < holdMs
      const answer = await sending
      if (enrolled.statusCode === 200 && isInTime) return { client, answer }
    }
  }

  const isEnrolled = async (client: Client) =>
    (await client.get<{ totp: object | null }>('v1/second-factor')).body.totp !== null

  t.test('a login with the password alone begins no session', async (t) => {
    const held = { command: 'findAndModify', collection: 'credentials' }
    const { client, answer } = await enrolBeside(held, async (username) => {
      const json = { username, password }
      return () => makeClient(first).post<Body>('v1/session', { json })
    })
    t.match(answer, { statusCode: 401, body: { code: 'invalid-credentials' } })
    t.equal((await client.get<{ items: object[] }>('v1/sessions')).body.items.length, 1)
  })

  t.test('a confirmation with the password alone does not count', async (t) => {
    let other = makeClient(first)
    const held = { command: 'aggregate', collection: 'sessions' }
    const { client, answer } = await enrolBeside(held, async (username) => {
      other = await logIn(username)
      return () => confirm(other)
    })
    t.match(answer, { statusCode: 401, body: { code: 'invalid-credentials' } })
    t.match(await other.delete('v1/second-factor/totp'), { statusCode: 403, body: { code: 'confirmation-required' } })
    t.ok(await isEnrolled(client))
  })

  t.test('a change of the password by a session that has given no code is refused', async (t) => {
    const held = { command: 'find', collection: 'credentials' }
    const { client, answer } = await enrolBeside(held, async (username) => {
      const other = await logIn(username)
      const json = { currentPassword: password, newPassword: `${password}, again` }
      return () => other.put<Body>('v1/account/password', { json })
    })
    t.match(answer, { statusCode: 403, body: { code: 'confirmation-required' } })
    t.ok(await isEnrolled(client))
  })

  // What ends sessions deletes them first: with them deleted, no enrolment at one of them could happen beside it.
  for (const [method, path, command] of [
    ['DELETE', 'v1/second-factor/totp', 'update'],
    ['DELETE', 'v1/sessions', 'delete'],
    ['DELETE', 'v1/devices', 'update'],
    ['GET', 'v1/account/export', 'update'],
    ['DELETE', 'v1/account', 'delete'],
  ] as const)
    t.test(`${method} /${path} by a session that was confirmed before the enrolment is refused`, async (t) => {
      const held = { command, collection: 'sessions' }
      const { client, answer } = await enrolBeside(held, async (username) => {
        const other = await logIn(username)
        await confirm(other)
        return () => other<Body>(path, { method })
      })
      t.match(answer, { statusCode: 403, body: { code: 'confirmation-required' } })
      t.ok(await isEnrolled(client))
    })
})
