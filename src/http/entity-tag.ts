import { createHash } from 'node:crypto'

export const entityTagOf = (body: string | Buffer, variant = ''): string =>
  `"${createHash('sha256').update(body).digest('base64url')}${variant}"`

/** Compares weakly, as `If-None-Match` requires (RFC 9110, 13.1.2). */
export const matchesEntityTag = (ifNoneMatch: string | undefined, entityTag: string): boolean =>
  (ifNoneMatch ?? '').split(',').some((tag) => ['*', entityTag].includes(tag.trim().replace(/^W\//, '')))
