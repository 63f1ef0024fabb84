import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { atQuarterHour } from './quarter-hour.ts'

t.test('a thief who uses up the changes of an account does not keep its owner from taking it back', async (t) => {
  atQuarterHour(t)
  const { url } = await testServer(t, { LIMIT_WRITES_PER_ACCOUNT: '3' })
  const { client: thief, username } = await signUp(url)
  const owner = makeClient(url)
  await owner.post('v1/session', { json: { username, password } })
  const bio = (client: typeof owner) => client.patch('v1/account', { json: { bio: 'Hi.' } })
  for (const expected of [200, 200, 200, 429]) t.equal((await bio(thief)).statusCode, expected)
  t.equal((await bio(owner)).statusCode, 429)
  t.equal((await owner.post('v1/session/confirm', { json: { password } })).statusCode, 200)
  t.equal((await owner.delete('v1/sessions')).statusCode, 204)
  t.equal((await thief.get('v1/session')).statusCode, 401)
  const newPassword = `${password} by night`
  const json = { currentPassword: password, newPassword }
  t.equal((await owner.put('v1/account/password', { json })).statusCode, 204)
  await owner.post('v1/session/confirm', { json: { password: newPassword } })
  t.equal((await owner.delete('v1/account')).statusCode, 204)
})

t.test('changes that take an account back are limited, too, for each session', async (t) => {
  atQuarterHour(t)
  const { url } = await testServer(t, { LIMIT_WRITES_PER_ACCOUNT: '3' })
  const { client } = await signUp(url)
  const confirm = () => client.post('v1/session/confirm', { json: { password } })
  for (const expected of [200, 200, 200, 429]) t.equal((await confirm()).statusCode, expected)
})

t.test(
  'accounts that use up the changes of an address do not keep a neighbour from taking an account back',
  async (t) => {
    atQuarterHour(t)
    const { url } = await testServer(t, { LIMIT_WRITES_PER_ADDRESS: '5', LIMIT_WRITES_PER_NETWORK: '6' })
    const [{ client: neighbour }, { client: flood }] = [await signUp(url), await signUp(url)]
    const bio = (client: typeof flood) => client.patch('v1/account', { json: { bio: 'Hi.' } })
    for (const expected of [200, 200, 200, 200, 200, 429]) t.equal((await bio(flood)).statusCode, expected)
    t.equal((await bio(neighbour)).statusCode, 429, 'other changes wait')
    const confirm = (client: typeof flood) => client.post('v1/session/confirm', { json: { password } })
    t.equal((await confirm(neighbour)).statusCode, 200)
    t.equal((await neighbour.delete('v1/sessions')).statusCode, 204)
    const json = { currentPassword: password, newPassword: `${password} by night` }
    t.equal((await neighbour.put('v1/account/password', { json })).statusCode, 204)

    const statuses: number[] = []
    for (let n = 0; n < 22; n += 1) statuses.push((await confirm(flood)).statusCode)
    t.same(statuses.slice(0, 20), Array(20).fill(200))
    t.equal(statuses.at(-1), 429, 'more of one session count for the address, too')
  },
)
