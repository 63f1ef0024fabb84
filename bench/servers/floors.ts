import { hash, verify } from '@node-rs/bcrypt'
import Fastify from 'fastify'
import type { Connection } from '../../src/database/connection.ts'
import { password } from '../apis/api.ts'
import type { ServerOptions } from './server.ts'

/** What no server on Fastify can be faster than: each request has the same answer. */
export async function constant() {
  const app = Fastify()
  app.get('/*', async () => ({ hello: 'world' }))
  return { url: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
}

/** What no login can be faster than: each request verifies the same hash. */
export async function bcrypt(_connection: Connection, { bcryptCost }: ServerOptions) {
  const hashed = await hash(password, bcryptCost)
  const app = Fastify()
  app.post<{ Body: { password: string } }>('/v1/session', async (request, reply) => {
    if (await verify(request.body.password, hashed)) return { hello: 'world' }
    return reply.code(401).send()
  })
  return { url: await app.listen({ host: '127.0.0.1', port: 0 }), close: () => app.close() }
}
