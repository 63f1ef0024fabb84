import t from 'tap'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf, field, isProblem, pointersOf } from './wire.ts'

t.test('what is refused as not valid', async (t) => {
  const { port } = await testServer(t)
  const cookie = await cookieOf(port, 'ann')
  const signUp = (json: unknown) => ask(port, 'POST', '/v1/accounts', { json })
  const get = (path: string) => ask(port, 'GET', path, { headers: { cookie } })

  t.test('each fault has its pointer', async (t) => {
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
      const wanted = pointers.map((one) => (one.startsWith('/') ? one : `/body/${one}`))
      isProblem(t, answer, 'validation', JSON.stringify(json))
      t.same(pointersOf(answer).sort(), wanted, JSON.stringify(json))
    }
    const neither = await ask(port, 'PATCH', '/v1/account', { headers: { cookie }, json: {} })
    t.same(pointersOf(neither), ['/body'])
  })

  t.test('faults of the query, a header and the body are told together', async (t) => {
    const headers = { cookie, 'idempotency-key': 'two words' }
    const all = await ask(port, 'POST', '/v1/posts?x=1', { headers, json: { text: '' } })
    isProblem(t, all, 'validation')
    t.same(pointersOf(all).sort(), ['/body/text', '/headers/idempotency-key', '/query/x'])
    const two = await ask(port, 'POST', '/v1/posts?x=1', { headers, json: { text: 'fine' } })
    t.same(pointersOf(two).sort(), ['/headers/idempotency-key', '/query/x'])
    const one = await ask(port, 'POST', '/v1/posts', { headers, json: { text: 'fine' } })
    t.same(pointersOf(one), ['/headers/idempotency-key'])
  })

  t.test('20 faults at most, and no value of the request comes back', async (t) => {
    const secret = 'Hunter2 is my secret'
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`extra${n}`, secret]))
    const answer = await signUp({ username: secret, password: secret, displayName: secret.repeat(9), ...many })
    isProblem(t, answer, 'validation')
    t.equal(pointersOf(answer).length, 20)
    t.notMatch(answer.text, /Hunter2/)
    const long = await signUp({ username: 'bob', password, ['k'.repeat(9_000)]: 1 })
    t.same(pointersOf(long), [`/body/${'k'.repeat(9_000)}`], 'its own pointer, however long')
    t.match(await signUp({ username: 'bob', password, '\ud800': 1, '\n"': 1 }), { status: 400 })
    const query = await get(`/v1/posts?limit=${secret.split(' ').join('+')}&cursor=${secret.replaceAll(' ', '%20')}`)
    isProblem(t, query, 'validation')
    t.notMatch(query.text, /Hunter2/)
  })

  t.test('query parameters: unknown, repeated and out of range', async (t) => {
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
      isProblem(t, answer, 'validation', query)
      t.same(
        pointersOf(answer).sort(),
        names.map((name) => `/query/${name}`),
        query,
      )
    }
    for (const limit of [1, 20, 100]) t.equal((await get(`/v1/posts?limit=${limit}`)).status, 200, `limit=${limit}`)
    t.equal((await get('/v1/posts?')).status, 200)
  })

  t.test('every route refuses a query parameter that it does not know', async (t) => {
    const paths = Object.entries(field((await get('/openapi.json')).body, 'paths') ?? {})
    t.ok(paths.length > 12)
    for (const [path, operations] of paths) {
      for (const method of Object.keys(operations)) {
        const url = path.replace('{username}', 'ann').replace('{id}', '01890000-0000-7000-8000-000000000000')
        const bodied = field(operations[method], 'requestBody') !== undefined
        const needed = path === '/v1/analytics/reactions' ? '&from=2026-01-01&to=2026-01-01' : ''
        const answer = await ask(port, method.toUpperCase(), `${url}?surprise=1${needed}`, {
          headers: { cookie },
          ...(bodied && { json: { username: 'somebody', password, text: 'x', value: 'like', bio: '' } }),
        })
        t.equal(answer.status, 400, `${method} ${path}`)
        if (!bodied) t.same(pointersOf(answer), ['/query/surprise'], `${method} ${path}`)
      }
    }
  })
})
