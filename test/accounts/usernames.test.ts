import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'

t.test('usernames', async (t) => {
  const { url, db } = await testServer(t)
  const signUpAs = (username: unknown) =>
    makeClient(url).post<{ id?: string }>('v1/accounts', { json: { username, password } })

  t.test('a username has 3 to 30 of A–Z a–z 0–9 _', async (t) => {
    for (const name of ['abc', 'x'.repeat(30), '___', '007', 'A_z_0'])
      t.equal((await signUpAs(name)).statusCode, 201, name)
    const refused = [
      '',
      'ab',
      'x'.repeat(31),
      'a b',
      'a-b',
      'a.b',
      'añb',
      'ann\n',
      ' ann',
      'a%20b',
      '\u212Aelvin',
      'ſam',
    ]
    for (const name of [...refused, '\uFF21bc', 'abc\u0000', null, 5, {}, ['ann']]) {
      const { statusCode, body } = await signUpAs(name)
      t.equal(statusCode, 400, JSON.stringify(name))
      t.match(body, { code: 'validation', errors: [{ pointer: '/body/username' }] })
    }
  })

  t.test('a username is found in any case and shown as typed', async (t) => {
    await signUpAs('KlausKinski')
    for (const name of ['KlausKinski', 'klauskinski', 'KLAUSKINSKI']) {
      const { statusCode, body } = await makeClient(url).get(`v1/accounts/${name}`)
      t.equal(statusCode, 200, name)
      t.match(body, { username: 'KlausKinski' })
      t.equal((await makeClient(url).get(`v1/accounts/${name}/posts`)).statusCode, 200)
      const login = await makeClient(url).post('v1/session', { json: { username: name, password } })
      t.match(login.body, { account: { username: 'KlausKinski' } })
    }
  })

  t.test('a letter that case folding maps to ASCII finds no account', async (t) => {
    // toLowerCase() makes k of the Kelvin sign; ignoring case in a regular expression makes s of the long s.
    for (const name of ['\u212AlausKinski', 'klau\u017FKin\u017Fki', 'Klaus\u212Ainski', '\uFF2BlausKinski']) {
      t.equal((await makeClient(url).get(`v1/accounts/${encodeURIComponent(name)}`)).statusCode, 404, name)
      const login = await makeClient(url).post('v1/session', { json: { username: name, password } })
      t.equal(login.statusCode, 401, name)
      t.match(login.body, { code: 'invalid-credentials' })
    }
  })

  t.test('an invalid username in a path gets 404, like an unknown one', async (t) => {
    for (const name of [
      'ab',
      'in%20valid',
      'in.valid',
      'x'.repeat(31),
      '%00%00%00',
      '%F0%9F%8C%8D',
      'no_such_account',
    ]) {
      for (const path of [`v1/accounts/${name}`, `v1/accounts/${name}/posts`]) {
        const { statusCode, body } = await makeClient(url).get(path)
        t.equal(statusCode, 404, path)
        t.match(body, { code: 'not-found' })
      }
    }
  })

  t.test('a username is taken in every case', async (t) => {
    const { username } = await signUp(url, 'Taken_Name')
    for (const name of [username, username.toLowerCase(), username.toUpperCase()]) {
      const { statusCode, body } = await signUpAs(name)
      t.equal(statusCode, 409, name)
      t.match(body, { code: 'username-taken' })
    }
  })

  t.test('20 concurrent sign-ups with one username in different cases: one gets 201, 19 get 409', async (t) => {
    const count = () => Promise.all(['accounts', 'usernames', 'credentials', 'accountCounts'].map(size))
    const size = (name: string) => db.collection(name).countDocuments()
    const before = await count()
    const names = Array.from({ length: 20 }, (_, i) =>
      [...'racers'].map((c, bit) => (i & (1 << bit) ? c.toUpperCase() : c)),
    )
    const answers = await Promise.all(names.map((name) => signUpAs(name.join(''))))
    const statuses = answers.map(({ statusCode }) => statusCode).sort()
    t.same(statuses, [201, ...Array(19).fill(409)])
    t.same(
      await count(),
      before.map((size) => size + 1),
      'refused sign-ups store nothing',
    )
    const winner = answers.find(({ statusCode }) => statusCode === 201)
    t.match((await makeClient(url).get('v1/accounts/racers')).body, { id: winner?.body.id })
  })
})
