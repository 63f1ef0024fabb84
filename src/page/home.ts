import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import Negotiator from 'negotiator'
import { z } from 'zod'
import { fixedBody, sendFixed } from '../http/fixed-body.ts'
import { listedChoices } from '../http/listed-choices.ts'
import { NoContent } from '../http/responses.ts'
import { contentSecurityPolicy } from './content-security-policy.ts'
import { type PageSettings, pageHtml } from './html.ts'

const json = 'application/json'
const html = 'text/html'

const Links = z.object({ links: z.record(z.string(), z.string()).describe('Paths of this server by what they are.') })

const links = {
  openapi: '/openapi.json',
  ready: '/health/ready',
  keys: '/.well-known/jwks.json',
  session: '/v1/session',
  posts: '/v1/posts',
}

/** `GET /`: the page for browsers, and links in JSON for other clients. Without the page, all get the links. */
export const home: FastifyPluginAsyncZod<PageSettings & { page: boolean }> = async (app, settings) => {
  const all = settings.docs ? { docs: '/docs', readme: '/readme', ...links } : links
  const body = await fixedBody(`${json}; charset=utf-8`, Buffer.from(JSON.stringify({ links: all })))
  const page = await fixedBody(`${html}; charset=utf-8`, await pageHtml(settings))
  // JSON first: it is for clients that accept both alike, or do not say.
  const mediaTypes = settings.page ? [json, html] : [json]

  app.get(
    '/',
    {
      schema: {
        operationId: 'readLinks',
        summary: 'Find the parts of the service',
        tags: ['operations'],
        response: { 200: Links, 304: NoContent },
      },
      config: { otherMediaTypes: { [html]: z.string() }, responseHeaders: ['etag', 'vary'] },
    },
    async (request, reply) => {
      const headers = { accept: listedChoices(request.headers.accept) }
      const isPage = new Negotiator({ headers }).mediaType(mediaTypes) === html
      if (isPage) reply.header('content-security-policy', contentSecurityPolicy)
      reply.header('cache-control', 'no-cache')
      return sendFixed(request, reply, isPage ? page : body, 'Accept')
    },
  )
}
