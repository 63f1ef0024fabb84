import { createHash } from 'node:crypto'
import { listedChoices } from './listed-choices.ts'

export const entityTagOf = (body: string | Buffer, variant = ''): string =>
  `"${createHash('sha256').update(body).digest('base64url')}${variant}"`

/** Compares weakly, as `If-None-Match` requires (RFC 9110, 13.1.2). */
export const matchesEntityTag = (ifNoneMatch: string | undefined, entityTag: string): boolean =>
  (listedChoices(ifNoneMatch) ?? '').split(',').some((tag) => ['*', entityTag].includes(tag.trim().replace(/^W\//, '')))
