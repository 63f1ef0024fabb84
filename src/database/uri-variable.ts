import { z } from 'zod'

const reservedOptions = new Set(['j', 'journal', 'readconcernlevel', 'wtimeout', 'wtimeoutms'])

/** The driver compares names of options without case. */
const optionsOf = (uri: string) =>
  new Map([...new URLSearchParams(uri.split('?')[1])].map(([name, value]) => [name.toLowerCase(), value]))

export const MongodbUri = z
  .string()
  .regex(/^mongodb(\+srv)?:\/\/[^/]/, 'must begin with mongodb:// or mongodb+srv:// and name a host')
  // Anywhere in the URI: a password may contain an unescaped "/" or "?".
  .refine((uri) => !uri.includes('@'), 'must not contain credentials: set DB_USER and DB_PASSWORD instead')
  // These would override the client's options, and an acknowledged write could be lost.
  .refine((uri) => [...optionsOf(uri).keys()].every((name) => !reservedOptions.has(name)), {
    error: 'must not set journal, readConcernLevel or wtimeoutMS: remove them, Rookery sets its own',
  })

/** The hosts of a connection string as it names them, comma-separated. */
export const hostsOf = (uri: string): string =>
  /^mongodb(?:\+srv)?:\/\/([^/?]+)/.exec(uri)?.[1] ?? 'the host of MONGODB_URI'

/** Whether its connections use TLS, as those of mongodb+srv do by default. */
export function usesTls(uri: string): boolean {
  const options = optionsOf(uri)
  return (options.get('tls') ?? options.get('ssl') ?? String(uri.startsWith('mongodb+srv:'))) === 'true'
}
