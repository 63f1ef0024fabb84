import t from 'tap'
import { eventually } from '../eventually.ts'
import { signUp, testServer } from '../helper.ts'
import { hammer } from './hammer.ts'
import { ids, seedFollows, seedPosts } from './seed.ts'

t.test(
  '64 connections that read the timeline of an account that follows 7,500: others like posts and read their timelines',
  { timeout: 240_000 },
  async (t) => {
    const { url, db } = await testServer(t)
    const [wide, other] = [await signUp(url), await signUp(url)]
    const { id: account } = (await wide.client.get<{ id: string }>('v1/account')).body
    const { id: post } = (await other.client.post<{ id: string }>('v1/posts', { json: { text: '.' } })).body
    const followed = ids(7_500)
    await seedFollows(db, account, followed)
    await seedPosts(db, followed, 10_000)
    const attack = hammer(`${url}/v1/timeline`, { cookie: await wide.client.jar.getCookieString(url) }, 64)
    t.teardown(attack.stop)
    await eventually(() => (attack.answers.get(200) ?? 0) > 0)
    for (const value of ['like', 'dislike', 'like', 'dislike', 'like']) {
      t.equal((await other.client.put(`v1/posts/${post}/reaction`, { json: { value } })).statusCode, 200)
      t.equal((await other.client.get('v1/timeline')).statusCode, 200)
      t.equal((await other.client.get(`v1/posts/${post}`)).statusCode, 200)
    }
    const answered = attack.answers.get(200) ?? 0
    await eventually(() => (attack.answers.get(200) ?? 0) > answered)
    t.same(
      [...attack.answers.keys()].filter((status) => status !== 200 && status !== 503),
      [],
      'each of the 64 gets a timeline or "overloaded"',
    )
  },
)
