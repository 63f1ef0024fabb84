import type { Got } from 'got'
import type { CommandStartedEvent } from 'mongodb'
import t from 'tap'
import { freshDatabase, password, signUp } from '../helper.ts'
import { logIn, serverOn } from './servers.ts'

type Observed = { on(event: 'commandStarted', listener: (event: CommandStartedEvent) => void): unknown }

const writes = new Set(['delete', 'findAndModify', 'insert', 'update'])
const json = { currentPassword: password, newPassword: `${password} by night` }

const ends: Readonly<Record<string, (client: Got) => PromiseLike<{ statusCode: number }>>> = {
  'the end of all others': (client) => client.delete('v1/sessions'),
  'a logout everywhere': (client) => client.delete('v1/session?everywhere=true'),
  'a change of password': (client) => client.put('v1/account/password', { json }),
  'the deletion of the account': (client) => client.delete('v1/account'),
}

t.test('what ends the sessions of an account deletes them first: refreshes would make it run again', async (t) => {
  const { connection } = await freshDatabase(t)
  /** Within transactions: what is written to, with the ids of the sessions that are deleted. */
  let written: string[] = []
  const observeClient = (client: Observed) =>
    void client.on('commandStarted', ({ command, commandName }) => {
      if (command.autocommit !== false || !writes.has(commandName)) return
      const ids = command.delete === 'sessions' ? command.deletes[0].q._id.$in : []
      written.push([commandName, command[commandName], ...ids].join(' '))
    })
  const url = await serverOn(t, { ...connection, observeClient })
  for (const [name, end] of Object.entries(ends)) {
    const { client, username } = await signUp(url)
    const other = await logIn(url, username)
    await client.post('v1/session/confirm', { json: { password } })
    written = []
    t.equal((await end(client)).statusCode, 204)
    const found = written.findIndex((write) => write.startsWith('delete sessions') && write.includes(other.id))
    t.not(found, -1)
    // Its own session, which must be live.
    const before = written.slice(0, found).filter((write) => write !== 'update sessions')
    t.same(before, [], name)
  }
})
