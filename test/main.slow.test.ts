import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeClient, password, signUp } from './helper.ts'
import { freshFolder, nothingRuns, startServer } from './main/server-process.ts'

t.test(
  'the first start works without configuration and prints the URL, the data directory and the bot’s command',
  async (t) => {
    const folder = await freshFolder(t)
    const server = await startServer(t, { DATA_DIR: folder })
    await server.says(/Try next/)
    t.match(server.url, /^http:\/\/127\.0\.0\.1:\d+$/)
    t.match(server.out, `keeps its data in ${folder}`)
    t.match(server.out, `API page    ${server.url}/docs`)
    t.match(server.out, /Database {4}embedded mongod, data in \S+/)
    t.match(server.out, `npx tsx bot --url ${server.url} `, 'with --url, because the port is not 5000')
    t.equal(server.error, '')
    for (const path of ['/docs', '/health/ready', '/openapi.json'])
      t.equal((await fetch(server.url + path)).status, 200, path)
    t.match(await server.kill('SIGTERM'), { code: 0, error: '' })
    t.ok(await nothingRuns(folder))
  },
)

t.test('a second start keeps accounts, posts and sessions', async (t) => {
  const folder = await freshFolder(t)
  const first = await startServer(t, { DATA_DIR: folder })
  const { client, username } = await signUp(first.url)
  const { body: post } = await client.post<{ id: string }>('v1/posts', { json: { text: 'still here' } })
  const cookie = await client.jar.getCookieString(first.url)
  t.match(cookie, /^session=/)
  t.match(await first.kill('SIGINT'), { code: 0 }, 'SIGINT exits with 0')

  const second = await startServer(t, { DATA_DIR: folder })
  t.notMatch(second.out, /First start/)
  const headers = { cookie }
  const again = makeClient(second.url)
  t.match(await again.get('v1/account', { headers }), { statusCode: 200, body: { username, counts: { posts: 1 } } })
  t.match(await again.get(`v1/posts/${post.id}`), { statusCode: 200, body: { text: 'still here' } })
  t.match(await again.post('v1/session', { json: { username, password } }), { statusCode: 200 })
})

t.test('the exported secrets of the Flask original work, and so does a later start without them', async (t) => {
  const folder = await freshFolder(t)
  const exported = { DB_PASSWORD: 'p@ss/w:rd %41 "quoted"', JWT_SIGN_KEY: 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K' }
  const starts = { exported, 'without them': {}, 'another password': { ...exported, DB_PASSWORD: 'changed' } }
  const usernames: string[] = []
  for (const [name, env] of Object.entries(starts)) {
    const server = await startServer(t, { DATA_DIR: folder, ...env })
    for (const username of usernames)
      t.match(await makeClient(server.url).get(`v1/accounts/${username}`), { statusCode: 200 }, `${name}: still there`)
    usernames.push((await signUp(server.url)).username)
    for (const secret of Object.values(env)) t.notOk(server.out.includes(secret), 'no secret is printed')
    t.match(await server.kill('SIGTERM'), { code: 0, error: '' }, name)
  }
})

t.test('an unusable DATA_DIR is reported as a sentence', { skip: process.getuid?.() === 0 && 'root' }, async (t) => {
  const folder = await freshFolder(t)
  await chmod(folder, 0o500)
  await t.rejects(startServer(t, { DATA_DIR: join(folder, 'below') }), { message: /DATA_DIR .* cannot be used/ })
})
