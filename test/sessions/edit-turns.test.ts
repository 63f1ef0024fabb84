import type { Got } from 'got'
import t from 'tap'
import { newId } from '../../src/database/ids.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'

const atOnce = 100

t.test('of the changes that a thief sends at once, the owner waits for one of each kind', async (t) => {
  const { url } = await testServer(t)
  const { client: owner, username } = await signUp(url)
  const confirm = (client: Got) => client.post('v1/session/confirm', { json: { password } })
  await confirm(owner)
  const { items } = await owner.get('v1/devices').json<{ items: { id: string }[] }>()
  const changes: Readonly<Record<string, (thief: Got) => PromiseLike<unknown>>> = {
    'the profile': (thief) => thief.patch('v1/account', { json: { bio: 'x' } }),
    'the name of a device': (thief) => thief.patch(`v1/devices/${items[0]?.id}`, { json: { name: 'x' } }),
    'devices that are not there': (thief) => thief.delete(`v1/devices/${newId()}`),
    'sessions that are not there': (thief) => thief.delete(`v1/sessions/${newId()}`),
  }
  for (const [name, change] of Object.entries(changes)) {
    const thief = makeClient(url)
    await thief.post('v1/session', { json: { username, password } })
    await confirm(thief)
    const answered: string[] = []
    const sent = Array.from({ length: atOnce }, async () => {
      await change(thief)
      answered.push('change')
    })
    await Promise.race(sent)
    const end = await owner.delete('v1/sessions')
    answered.push('end')
    await Promise.all(sent)
    t.equal(end.statusCode, 204)
    t.not(answered.at(-1), 'end', name)
  }
})
