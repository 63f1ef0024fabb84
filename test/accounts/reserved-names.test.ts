import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'

t.test('reserved names', async (t) => {
  const { url, db } = await testServer(t, { RESERVED_USERNAMES: 'Mayor, town_hall' })
  const status = async (username: string) =>
    (await makeClient(url).post('v1/accounts', { json: { username, password } })).statusCode

  t.test(
    'a reserved name is 409 as a taken one is, whatever its case, underscores and look-alike digits',
    async (t) => {
      const { username } = await signUp(url, 'ann')
      const taken = await makeClient(url).post<object>('v1/accounts', { json: { username, password } })
      const names = [
        'admin',
        'root',
        'support',
        'security',
        'rookery',
        'api',
        'null',
        'settings',
        'undefined',
        'constructor',
      ]
      const disguised = [
        'Admin',
        '_admin_',
        'ad_min',
        '4dmin',
        'adm1n',
        'r00t',
        'R0OKERY',
        'rookery__',
        '5upport',
        'nu11',
        'm_e',
      ]
      for (const name of [...names, ...disguised, 'mayor', 'MAYOR', 'may0r', 'TownHall', 'town_hall']) {
        const { statusCode, body } = await makeClient(url).post<object>('v1/accounts', {
          json: { username: name, password },
        })
        t.equal(statusCode, 409, name)
        t.same({ ...body, instance: '' }, { ...taken.body, instance: '' }, name)
      }
      t.equal(await db.collection('accounts').countDocuments(), 1)
    },
  )

  t.test('names that only contain a reserved one are free', async (t) => {
    for (const name of ['adminton', 'rootbeer', 'mayor_of_x', 'support7', 'therapist', 'newton'])
      t.equal(await status(name), 201, name)
  })

  t.test('an account that has such a name keeps it', async (t) => {
    const { client } = await signUp(url, 'was_free')
    const usernames = db.collection<{ _id: string }>('usernames')
    const name = await usernames.findOneAndDelete({ _id: 'was_free' })
    await usernames.insertOne({ ...name, _id: 'moderator' })
    await db.collection('accounts').updateOne({ username: 'was_free' }, { $set: { username: 'moderator' } })
    t.equal((await client.get('v1/account')).statusCode, 200)
    t.match((await makeClient(url).get('v1/accounts/Moderator')).body, { username: 'moderator' })
    const json = { username: 'moderator', password }
    t.equal((await makeClient(url).post('v1/session', { json })).statusCode, 200)
    t.equal((await client.patch('v1/account', { json: { displayName: 'M' } })).statusCode, 200)
    t.equal(await status('moderator'), 409)
  })
})
