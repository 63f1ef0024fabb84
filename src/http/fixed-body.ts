import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { entityTagOf, matchesEntityTag } from './entity-tag.ts'
import { listedChoices } from './listed-choices.ts'

/** A body that stays the same while the process runs: compressed and hashed once. */
export type FixedBody = { mediaType: string; plain: Variant; compressed: Variant | undefined }

type Variant = { bytes: Buffer; entityTag: string }

const compress = promisify(gzip)

export async function fixedBody(mediaType: string, bytes: Buffer): Promise<FixedBody> {
  const gzipped = await compress(bytes, { level: 9 })
  return {
    mediaType,
    plain: { bytes, entityTag: entityTagOf(bytes) },
    // Images are compressed already.
    compressed: gzipped.length < bytes.length ? { bytes: gzipped, entityTag: entityTagOf(bytes, '-gzip') } : undefined,
  }
}

/** Whether `Accept-Encoding` permits gzip (RFC 9110, 12.5.3). */
function acceptsGzip(header: string | string[] | undefined): boolean {
  const weights = new Map<string, boolean>()
  for (const coding of (listedChoices([header ?? []].flat().join()) ?? '').split(',')) {
    const [name = '', ...parameters] = coding.toLowerCase().split(';')
    weights.set(name.trim(), !parameters.some((parameter) => /^\s*q\s*=\s*0(\.0*)?\s*$/.test(parameter)))
  }
  return weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? false
}

/** @param vary - other request headers that have chosen the body */
export function sendFixed(
  request: FastifyRequest,
  reply: FastifyReply,
  body: FixedBody,
  ...vary: string[]
): FastifyReply {
  const compressed = acceptsGzip(request.headers['accept-encoding']) ? body.compressed : undefined
  const { bytes, entityTag } = compressed ?? body.plain
  reply.headers({ etag: entityTag, vary: [...vary, 'Accept-Encoding'].join(', ') })
  if (matchesEntityTag(request.headers['if-none-match'], entityTag)) return reply.code(304).send()
  if (compressed) reply.header('content-encoding', 'gzip')
  return reply.type(body.mediaType).send(bytes)
}
