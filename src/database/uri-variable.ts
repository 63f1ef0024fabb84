import { z } from 'zod'

const reservedOptions = new Set(['j', 'journal', 'readconcernlevel', 'wtimeout', 'wtimeoutms'])

/** The driver compares names of options without case. */
const optionsOf = (uri: string) => [...new URLSearchParams(uri.split('?')[1]).keys()].map((name) => name.toLowerCase())

export const MongodbUri = z
  .string()
  .regex(/^mongodb(\+srv)?:\/\/[^/]/, 'must begin with mongodb:// or mongodb+srv:// and name a host')
  // Anywhere in the URI: a password may contain an unescaped "/" or "?".
  .refine((uri) => !uri.includes('@'), 'must not contain credentials: set DB_USER and DB_PASSWORD instead')
  // These would override the client's options, and an acknowledged write could be lost.
  .refine((uri) => optionsOf(uri).every((name) => !reservedOptions.has(name)), {
    error: 'must not set journal, readConcernLevel or wtimeoutMS: remove them, Rookery sets its own',
  })
