import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { pidsOf, signUpUsers, startCluster } from './cluster.ts'

t.test('SIGHUP replaces all processes one by one while every request is answered', { timeout: 300_000 }, async (t) => {
  const { server, url } = await startCluster(t, 2, { DRAIN_SECONDS: '5', LOG_LEVEL: 'info' })
  const people = await signUpUsers(url, 8)
  const [ann] = people
  const { id } = (await ann?.client.post<{ id: string }>('v1/posts', { json: { text: 'Hello' } }))?.body ?? {}
  let isOver = false
  const unexpected: string[] = []
  let answered = 0
  const use = async ({ client }: (typeof people)[number]) => {
    const agent = { http: new Agent({ keepAlive: true, maxSockets: 2 }) }
    const ask = async (name: string, status: number, asked: Promise<{ statusCode: number }>) => {
      const { statusCode } = await asked.catch((error) => ({ statusCode: String(error) }))
      answered += 1
      if (statusCode !== status) unexpected.push(`${name}: ${statusCode}`)
    }
    for (let n = 0; !isOver; n += 1) {
      await ask('read', 200, client.get(`v1/posts/${id}`, { agent }))
      await ask('post', 201, client.post('v1/posts', { agent, json: { text: `Post ${n}` } }))
      const json = { value: n % 2 ? 'like' : 'dislike' }
      await ask('react', 200, client.put(`v1/posts/${id}/reaction`, { agent, json }))
      await ask('ready', 200, client.get('health/ready', { agent }))
      await sleep(20)
    }
    agent.http.destroy()
  }
  const using = Promise.all(people.map(use))
  const stream = await fetch(`${url}/v1/stream`)
  const streamed = stream.text()
  const pids = async () => [...(await pidsOf(server, 'api')), ...(await pidsOf(server, 'writer'))]
  for (const round of [1, 2]) {
    const before = await pids()
    t.equal(before.length, 3)
    server.child.kill('SIGHUP')
    const said = () => server.out.split('all processes are replaced').length === round + 1
    await eventually(said, { withinMs: 120_000 })
    const after = await pids()
    t.equal(after.length, 3)
    t.same(
      after.filter((pid) => before.includes(pid)),
      [],
      `round ${round}: each is another process`,
    )
  }
  isOver = true
  await using
  t.match(await streamed, /^event: post$/m, 'a stream ends with its process')
  t.same(unexpected, [], `of ${answered} requests`)
  t.ok(answered > 100)
  t.notMatch(server.out, /exited unexpectedly|cut off/)
  server.child.kill('SIGTERM')
  t.match(await server.ended, { code: 0, signal: null })
})
