import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyPluginAsync } from 'fastify'
import { type FixedBody, fixedBody, sendFixed } from '../http/fixed-body.ts'

const folder = fileURLToPath(new URL('static/', import.meta.resolve('@fastify/swagger-ui')))

const mediaTypes: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
}

/**
 * The files of the page, compressed once. They are not immutable: their names stay the same in the next version of Swagger
 * UI. Routes of swagger-ui itself serve the rest.
 */
export const documentFiles: FastifyPluginAsync = async (page) => {
  for (const name of await readdir(folder)) {
    const mediaType = mediaTypes[extname(name)]
    if (mediaType === undefined) continue
    let body: Promise<FixedBody> | undefined
    page.get(`/docs/static/${name}`, { schema: { hide: true } }, async (request, reply) => {
      body ??= readFile(join(folder, name)).then((bytes) => fixedBody(mediaType, bytes))
      reply.header('cache-control', 'public, max-age=3600')
      return sendFixed(request, reply, await body)
    })
  }
}
