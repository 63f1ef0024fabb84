import t from 'tap'
import { makeClient, password, testServer } from '../helper.ts'

type Post = { id: string }

t.test('got with tough-cookie can sign up, write, refresh, log out and log in', async (t) => {
  const { url } = await testServer(t)
  const client = makeClient(url)
  const json = { username: 'got_user', password }
  t.equal((await client.post('v1/accounts', { json })).statusCode, 201)
  const names = (await client.jar.getCookies(url)).map(({ key }) => key).sort()
  t.same(names, ['device', 'refresh', 'session'])
  const { statusCode, body } = await client.post<Post>('v1/posts', { json: { text: 'From got' } })
  t.equal(statusCode, 201)
  const liked = await client.put(`v1/posts/${body.id}/reaction`, { json: { value: 'like' } })
  t.match(liked.body, { value: 'like', counts: { likes: 1 } })
  const before = await client.jar.getCookieString(url)
  t.equal((await client.post('v1/session/refresh')).statusCode, 200)
  t.not(await client.jar.getCookieString(url), before, 'the jar has the new tokens')
  t.equal((await client.get('v1/session')).statusCode, 200)
  t.equal((await client.delete('v1/session')).statusCode, 204)
  const left = (await client.jar.getCookies(url)).map(({ key }) => key)
  t.same(left, ['device'], 'the jar dropped the cleared cookies')
  t.equal((await client.get('v1/session')).statusCode, 401)
  t.equal((await client.post('v1/session', { json })).statusCode, 200)
})
