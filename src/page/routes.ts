import { readdir, readFile } from 'node:fs/promises'
import type { FastifyPluginAsync } from 'fastify'
import { fixedBody, sendFixed } from '../http/fixed-body.ts'
import { limitReads, type ReadLimits } from '../limits/read-limits.ts'
import { contentSecurityPolicy } from './content-security-policy.ts'
import { folder } from './html.ts'

const mediaTypes: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
}

/** The style sheet and the modules of the page; `GET /` itself is in home.ts. */
export const pageFiles: FastifyPluginAsync<{ readLimits: ReadLimits }> = async (page, { readLimits }) => {
  await page.register(limitReads, { readLimits })
  for (const name of await readdir(folder)) {
    const mediaType = mediaTypes[name.split('.').pop() ?? '']
    if (mediaType === undefined) continue
    const body = await fixedBody(mediaType, await readFile(new URL(name, folder)))
    page.get(`/page/${name}`, { schema: { hide: true } }, async (request, reply) => {
      // Modules of two versions must not meet, so each is revalidated: an ETag makes that a 304.
      reply.headers({ 'cache-control': 'no-cache', 'content-security-policy': contentSecurityPolicy })
      return sendFixed(request, reply, body)
    })
  }
}
