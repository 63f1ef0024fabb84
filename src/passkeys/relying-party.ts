import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { Problem } from '../http/problems.ts'

/** @property id - the host name that passkeys belong to. @property origins - the pages that may use them */
export type RelyingParty = { id: string; origins: string[] }

/** Browsers have passkeys only in secure contexts, and an address is no RP ID (WebAuthn Level 3, 5.1.3, step 7). */
function permitsPasskeys({ hostname, protocol }: URL): boolean {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return false
  return protocol === 'https:' || /(^|\.)localhost$/.test(hostname)
}

/** The host of the first origin that permits passkeys is the RP ID. Its subdomains may use it, other names may not. */
export function relyingPartyOf(origins: Iterable<string>): RelyingParty | undefined {
  const urls = [...origins].map((origin) => new URL(origin)).filter(permitsPasskeys)
  const id = urls[0]?.hostname
  if (id === undefined) return undefined
  const isServed = ({ hostname }: URL) => hostname === id || hostname.endsWith(`.${id}`)
  return { id, origins: urls.filter(isServed).map(({ origin }) => origin) }
}

/** @throws Problem `forbidden` if no origin of this server permits passkeys */
export function requireRelyingParty({ server }: FastifyRequest): RelyingParty {
  const party = relyingPartyOf(server.publicOrigins())
  if (party) return party
  throw new Problem(
    'forbidden',
    'Passkeys are off: they need an https origin with a host name. Have the operator add one to PUBLIC_ORIGIN.',
  )
}
