import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import t from 'tap'
import { serverOptions } from '../../src/http/server.ts'
import { ask, field } from './wire.ts'

t.test('of thousands of query parameters, a route gets 100', async (t) => {
  const app = Fastify(serverOptions({}))
  t.teardown(() => app.close())
  app.get('/', async ({ query }) => ({ names: Object.keys(query ?? {}).length }))
  await app.listen({ port: 0 })
  const { port } = app.server.address() as AddressInfo // TCP always
  const names = async (count: number) => {
    const query = Array.from({ length: count }, (_, n) => n.toString(36)).join('&')
    return field((await ask(port, 'GET', `/?${query}`)).body, 'names')
  }
  t.equal(await names(0), 0)
  t.equal(await names(4), 4)
  t.equal(await names(1_300), 100)
  t.equal(field((await ask(port, 'GET', `/?${'&'.repeat(200)}a=1&&b=2`)).body, 'names'), 2, 'empty ones are none')
})
