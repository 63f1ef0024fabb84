import type { Got } from 'got'
import t from 'tap'
import { password, signUp, testServer } from '../helper.ts'

const atOnce = 100

t.test(
  'changes that need no confirmation, many at once, hold up the end of other sessions for one of them',
  async (t) => {
    const { url } = await testServer(t)
    const { client } = await signUp(url)
    await client.post('v1/session/confirm', { json: { password } })
    const { items } = await client.get('v1/devices').json<{ items: { id: string }[] }>()
    const edits: Readonly<Record<string, (client: Got) => PromiseLike<unknown>>> = {
      'of the profile': () => client.patch('v1/account', { json: { bio: 'x' } }),
      'of the name of a device': () => client.patch(`v1/devices/${items[0]?.id}`, { json: { name: 'x' } }),
    }
    for (const [name, edit] of Object.entries(edits)) {
      const answered: string[] = []
      const sent = Array.from({ length: atOnce }, async () => {
        await edit(client)
        answered.push('edit')
      })
      await Promise.race(sent)
      const end = await client.delete('v1/sessions')
      answered.push('end')
      await Promise.all(sent)
      t.equal(end.statusCode, 204)
      t.not(answered.at(-1), 'end', name)
    }
  },
)
