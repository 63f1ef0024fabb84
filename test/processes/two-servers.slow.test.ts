import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { freshDatabase, testConfig } from '../helper.ts'
import { signUpUsers } from './cluster.ts'
import { expectExactState, runContention } from './contention-load.ts'

t.test('counts are exact with two servers on one database, as on two machines', { timeout: 120_000 }, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const urls: string[] = []
  for (const _ of ['one', 'other']) {
    const app = await buildApp(await testConfig(connection), connection, pino({ level: 'silent' }))
    urls.push(await app.listen({ host: '127.0.0.1', port: 0 }))
    t.teardown(() => app.close())
  }
  const users = (await Promise.all(urls.map((url) => signUpUsers(url, 12)))).flat()
  const [ann] = users
  if (!ann) throw new Error('no account')
  const post = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'Hot' } })).body.id
  const until = performance.now() + 4_000
  const { acknowledged, statuses, slowest } = await runContention(users, post, () => performance.now() > until)
  t.comment(statuses, `the slowest took ${Math.round(slowest)} ms`)
  t.ok((statuses[200] ?? 0) > 50, 'both were at work')
  await expectExactState(t, db, { users, acknowledged, post })
})
