import { randomBytes } from 'node:crypto'
import type { UUID } from 'mongodb'
import t from 'tap'
import { toUuid } from '../../src/database/ids.ts'
import { idOf } from '../accounts/count-invariants.ts'
import { eventually } from '../eventually.ts'
import { faultyServers } from '../fixtures/faulty-servers.ts'
import { makeClient, password, signUp } from '../helper.ts'

/** Less than a transaction may take. */
const holdMs = 3_000

t.test('a forged link does not wait for the changes of the account that it names, nor they for it', async (t) => {
  const { proxy, first, db } = await faultyServers(t)
  const { client, username } = await signUp(first)
  const account = await idOf({ client, username })
  const revision = async () =>
    (await db.collection<{ _id: UUID; revision: number }>('credentials').findOne({ _id: toUuid(account) }))?.revision
  const token = Buffer.concat([toUuid(account).buffer, randomBytes(16)]).toString('base64url')
  const links = [
    ['v1/email-verification', { token }],
    ['v1/password-reset/confirm', { token, newPassword: 'brisk oboe fjord twelve' }],
  ] as const
  for (const [path, json] of links) {
    const before = await revision()
    const fault = proxy.arm({ command: 'findAndModify', collection: 'credentials', effect: { holdMs } })
    const login = makeClient(first).post('v1/session', { json: { username, password } })
    await eventually(() => fault.happened() === 1)
    const { statusCode } = await makeClient(first).post(path, { json })
    t.equal(await revision(), before, `${path} is answered while a login is written`)
    t.ok([401, 404].includes(statusCode), `with ${statusCode}`)
    await login
  }
})
