import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyPluginAsync } from 'fastify'
import { fixedBody, sendFixed } from '../http/fixed-body.ts'
import { remembered } from '../http/remembered.ts'
import { limitReads, type ReadLimits } from '../limits/read-limits.ts'
import { contentSecurityPolicy } from './content-security-policy.ts'

const own = (name: string) => fileURLToPath(new URL(name, import.meta.url))
// The package's plugin would add its own page, and the document a second and a third time.
const swaggerUi = (name: string) => fileURLToPath(new URL(`static/${name}`, import.meta.resolve('@fastify/swagger-ui')))

const css = 'text/css; charset=utf-8'
const javascript = 'text/javascript; charset=utf-8'

/** Not immutable: the names stay the same in the next version. */
const files = [
  { urls: ['/docs', '/docs/'], path: own('index.html'), mediaType: 'text/html; charset=utf-8', cache: 'no-cache' },
  { urls: ['/docs/static/page.css'], path: own('page.css'), mediaType: css },
  { urls: ['/docs/static/page.js'], path: own('page.js'), mediaType: javascript },
  { urls: ['/docs/static/swagger-ui.css'], path: swaggerUi('swagger-ui.css'), mediaType: css },
  { urls: ['/docs/static/swagger-ui-bundle.js'], path: swaggerUi('swagger-ui-bundle.js'), mediaType: javascript },
  { urls: ['/readme'], path: own('../../README.md'), mediaType: 'text/plain; charset=utf-8', cache: 'no-cache' },
]

export const docsPage: FastifyPluginAsync<{ readLimits: ReadLimits }> = async (page, { readLimits }) => {
  await page.register(limitReads, { readLimits })
  for (const { urls, path, mediaType, cache = 'public, max-age=3600' } of files) {
    const body = remembered(async () => fixedBody(mediaType, await readFile(path)))
    for (const url of urls) {
      page.get(url, { schema: { hide: true } }, async (request, reply) => {
        reply.headers({ 'cache-control': cache, 'content-security-policy': contentSecurityPolicy })
        return sendFixed(request, reply, await body())
      })
    }
  }
}
