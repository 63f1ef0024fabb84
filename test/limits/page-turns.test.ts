import { once } from 'node:events'
import { Agent, request } from 'node:http'
import t, { type Test } from 'tap'
import { testServer } from '../helper.ts'

/** A client at an address of loopback, all of which is this machine's. */
function clientAt(t: Test, port: number, localAddress: string) {
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  return async (path: string): Promise<number> => {
    const outgoing = request({ host: '127.0.0.1', port, localAddress, agent, path }).end()
    const [incoming] = await once(outgoing, 'response')
    incoming.resume()
    await once(incoming, 'end')
    return incoming.statusCode
  }
}

t.test('a page of one client comes before most of the 200 that another has asked for', async (t) => {
  const { port } = await testServer(t)
  const many = clientAt(t, port, '127.0.20.1')
  const one = clientAt(t, port, '127.0.21.1')
  await Promise.all([...Array.from({ length: 200 }, () => many('/health/live')), one('/health/live')])

  let answered = 0
  const crowd = Array.from({ length: 200 }, async () => {
    const status = await many('/v1/posts?limit=100')
    answered += 1
    return status
  })
  t.equal(await one('/v1/posts?limit=100'), 200)
  t.ok(answered < 150, `${answered} of 200 were answered first`)
  t.same(new Set(await Promise.all(crowd)), new Set([200]), 'all of them are answered')
})
