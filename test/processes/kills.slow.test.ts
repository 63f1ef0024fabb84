import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { killOne, pidsOf, signUpUsers, startCluster } from './cluster.ts'
import { expectExactState, runContention } from './contention-load.ts'

t.test('no write is lost or duplicated when processes are killed under load', { timeout: 200_000 }, async (t) => {
  const { server, url, db } = await startCluster(t, 4)
  const users = await signUpUsers(url, 24)
  const newPost = async () =>
    (await users[0]?.client.post<{ id: string }>('v1/posts', { json: { text: 'Hot' } }))?.body.id ?? ''

  t.test('the writer process is killed six times: every acknowledged write exists once', async (t) => {
    const post = await newPost()
    let enough = false
    const load = runContention(users, post, () => enough)
    for (let n = 0; n < 6; n += 1) {
      await delay(300 + 130 * n)
      await killOne(server, 'writer')
      // The replacement has written before it is killed.
      await newPost()
    }
    await delay(1_500)
    enough = true
    const { acknowledged, statuses } = await load
    t.comment(statuses)
    await expectExactState(t, db, { users, acknowledged, post })
  })

  t.test(
    'API processes are killed three times: each is replaced, and every acknowledged write exists once',
    async (t) => {
      const post = await newPost()
      let enough = false
      const load = runContention(users, post, () => enough)
      for (let n = 0; n < 3; n += 1) {
        await delay(500)
        await killOne(server, 'api')
      }
      await delay(1_000)
      enough = true
      const { acknowledged } = await load
      await expectExactState(t, db, { users, acknowledged, post })
      t.equal((await pidsOf(server, 'api')).length, 4)
      const exits = [...server.out.matchAll(/worker exited unexpectedly.*\n +role: "api"\n.*\n +exitStatus: "?(\w+)/g)]
      t.same(
        exits.map(([, status]) => status),
        ['SIGKILL', 'SIGKILL', 'SIGKILL'],
        'replacements keep running',
      )
    },
  )
})
