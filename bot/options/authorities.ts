import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** A schema for `--ca`, the path of a file: its output is the certificates, in PEM. */
export const authorities = z.string().transform((path, context) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    context.addIssue({ code: 'custom', message: `--ca ${path} cannot be read.` })
    return z.NEVER
  }
})
