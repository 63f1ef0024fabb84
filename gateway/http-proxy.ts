import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import type { Gateway, GatewayOptions } from './gateway.ts'
import { serviceOf } from './paths.ts'

/** The gateway of a laptop without nginx. */
export async function startHttpProxy({ host, port, addresses }: GatewayOptions): Promise<Gateway> {
  const app = Fastify()
  await app.register(httpProxy, {
    upstream: '',
    http2: false,
    replyOptions: {
      getUpstream: (request) => `http://${addresses[serviceOf(request.url)]}`,
      // Only this gateway says who the client is, and a client must not choose what is traced.
      rewriteRequestHeaders: (request, { forwarded: _, traceparent: _id, tracestate: _state, ...headers }) => ({
        ...headers,
        'x-forwarded-for': [request.headers['x-forwarded-for'], request.ip].flat().filter(Boolean).join(', '),
      }),
    },
  })
  await app.listen({ host, port })
  const exited = new Promise<null>((resolve) => app.server.once('close', () => resolve(null)))
  return { name: 'http-proxy', exited, close: () => app.close() }
}
