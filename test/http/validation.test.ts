import t from 'tap'
import { Problem } from '../../src/http/problems.ts'
import { password, testServer } from '../helper.ts'
import { type Answer, ask, cookieOf, expectProblem, field, pointersOf } from './wire.ts'

t.test('validation problems', async (t) => {
  const { port } = await testServer(t)
  const cookie = await cookieOf(port, 'ann')
  const signUp = (json: unknown) => ask(port, 'POST', '/v1/accounts', { json })
  const get = (path: string) => ask(port, 'GET', path, { headers: { cookie } })

  t.test('each fault in a body has its pointer', async (t) => {
    const cases: [unknown, string[]][] = [
      [{}, ['/body/password', '/body/username']],
      [null, ['/body']],
      [[], ['/body']],
      ['text', ['/body']],
      [{ username: 'a', password: 7, bio: [], displayName: {} }, ['bio', 'displayName', 'password', 'username']],
      [{ username: 'bob', password: 'short' }, ['/body/password']],
      [{ username: 'bob', password, admin: true, role: 'x' }, ['/body/admin', '/body/role']],
      [{ username: 'bob', password, '': 1 }, ['/body/']],
      [{ username: 'bob', password, 'a/b~c': 1, 'm~1n': 1 }, ['/body/a~1b~0c', '/body/m~01n']],
      [{ username: null, password }, ['/body/username']],
      [
        { username: 'a', password: 'short', displayName: 'x'.repeat(51), bio: 'x'.repeat(301), role: 'x' },
        ['bio', 'displayName', 'password', 'role', 'username'],
      ],
    ]
    for (const [json, pointers] of cases) {
      const answer = await signUp(json)
      const expected = pointers.map((name) => (name.startsWith('/') ? name : `/body/${name}`))
      expectProblem(t, answer, 'validation', JSON.stringify(json))
      t.same(pointersOf(answer).sort(), expected, JSON.stringify(json))
    }
    const neither = await ask(port, 'PATCH', '/v1/account', { headers: { cookie }, json: {} })
    t.same(pointersOf(neither), ['/body'])
  })

  t.test('faults without a message in the schema have a sentence that says what to do', async (t) => {
    const detailOf = ({ body }: Answer) => field([field(body, 'errors')].flat()[0], 'detail')
    t.equal(detailOf(await signUp([])), 'Must be an object.')
    t.equal(detailOf(await signUp({ password })), 'Must be present.')
    t.equal(detailOf(await signUp({ username: 7, password })), 'Must be a string.')
    t.equal(detailOf(await signUp({ username: 'bob', password, role: 'x' })), 'Must not be present.')
    const reactions = '/v1/account/reactions'
    t.equal(detailOf(await get(`${reactions}?value=x`)), 'Must be "like" or "dislike".')
    t.equal(detailOf(await get(`${reactions}?value=like&value=like`)), 'Must be given only once.')
  })

  t.test('faults of the query, a header and the body are reported together', async (t) => {
    const headers = { cookie, 'idempotency-key': 'two words' }
    const all = await ask(port, 'POST', '/v1/posts?x=1', { headers, json: { text: '' } })
    expectProblem(t, all, 'validation')
    t.same(pointersOf(all).sort(), ['/body/text', '/headers/idempotency-key', '/query/x'])
    const two = await ask(port, 'POST', '/v1/posts?x=1', { headers, json: { text: 'fine' } })
    t.same(pointersOf(two).sort(), ['/headers/idempotency-key', '/query/x'])
    const one = await ask(port, 'POST', '/v1/posts', { headers, json: { text: 'fine' } })
    t.same(pointersOf(one), ['/headers/idempotency-key'])
  })

  t.test('at most 20 faults are reported, and no value of the request is echoed', async (t) => {
    const secret = 'Hunter2 is my secret'
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`extra${n}`, secret]))
    const answer = await signUp({ username: secret, password: secret, displayName: secret.repeat(9), ...many })
    expectProblem(t, answer, 'validation')
    t.equal(pointersOf(answer).length, 20)
    t.notMatch(answer.text, /Hunter2/)
    const long = await signUp({ username: 'bob', password, ['k'.repeat(9_000)]: 1 })
    t.same(pointersOf(long), [`/body/${'k'.repeat(9_000)}`], 'a pointer of 9,000 characters is not truncated')
    t.match(await signUp({ username: 'bob', password, '\ud800': 1, '\n"': 1 }), { status: 400 })
    const query = await get(`/v1/posts?limit=${secret.split(' ').join('+')}&cursor=${secret.replaceAll(' ', '%20')}`)
    expectProblem(t, query, 'validation')
    t.notMatch(query.text, /Hunter2/)
  })

  t.test('unknown, repeated and out-of-range query parameters get 400', async (t) => {
    const cases: [string, string[]][] = [
      ['limit=0', ['limit']],
      ['limit=101', ['limit']],
      ['limit=-1', ['limit']],
      ['limit=abc', ['limit']],
      ['limit=', ['limit']],
      ['limit=1.5', ['limit']],
      ['limit=1e1', ['limit']],
      ['limit=%201', ['limit']],
      ['limit=010', ['limit']],
      ['limit=%D9%A1', ['limit']],
      ['limit=1&limit=1', ['limit']],
      ['limit[]=1', ['limit[]']],
      ['cursor=x&cursor=y', ['cursor']],
      ['Limit=1', ['Limit']],
      ['x=1&y=2', ['x', 'y']],
      ['__proto__=1', ['__proto__']],
      ['constructor=1', ['constructor']],
      ['=1', ['']],
      ['a%2Fb=1', ['a~1b']],
      ['limit=%zz', ['limit']],
      ['limit=200&x=1', ['limit', 'x']],
    ]
    for (const [query, names] of cases) {
      const answer = await get(`/v1/posts?${query}`)
      expectProblem(t, answer, 'validation', query)
      t.same(
        pointersOf(answer).sort(),
        names.map((name) => `/query/${name}`),
        query,
      )
    }
    for (const limit of [1, 20, 100]) t.equal((await get(`/v1/posts?limit=${limit}`)).status, 200, `limit=${limit}`)
    t.equal((await get('/v1/posts?')).status, 200)
  })

  t.test('every route refuses an unknown query parameter', async (t) => {
    const paths = Object.entries(field((await get('/openapi.json')).body, 'paths') ?? {})
    t.ok(paths.length > 12)
    for (const [path, operations] of paths) {
      for (const method of Object.keys(operations)) {
        const url = path.replace('{username}', 'ann').replace('{id}', '01890000-0000-7000-8000-000000000000')
        const bodied = field(operations[method], 'requestBody') !== undefined
        const required = path === '/v1/analytics/reactions' ? '&from=2026-01-01&to=2026-01-01' : ''
        const answer = await ask(port, method.toUpperCase(), `${url}?surprise=1${required}`, {
          headers: { cookie },
          ...(bodied && { json: { username: 'alice', password, text: 'x', value: 'like', bio: '' } }),
        })
        t.equal(answer.status, 400, `${method} ${path}`)
        if (!bodied) t.same(pointersOf(answer), ['/query/surprise'], `${method} ${path}`)
      }
    }
  })
})

t.test('a problem has no stack, which would take as long as half of the request', (t) => {
  t.notMatch(new Problem('not-found', 'The resource does not exist.').stack, /\n/)
  t.match(new Error('another').stack, /\n/)
  t.end()
})
