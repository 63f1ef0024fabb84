import { z } from 'zod'
import { publicPartOf } from './ed25519.ts'
import { type KeyRing, kidForm, type SignKey } from './key-ring.ts'
import { looksLikeReference } from './reference.ts'
import { findSignKeyFaults } from './sign-key.ts'

// 32 bytes have one form in base64url, and a public key with another would be published with an `x` of its own.
const Bytes32 = z
  .string()
  .refine((text) => /^[\w-]{43}$/.test(text) && Buffer.from(text, 'base64url').toString('base64url') === text)

const Ed25519Jwk = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: Bytes32,
  d: Bytes32.optional(),
})
const Kid = z.string().regex(kidForm)
const Entry = z.strictObject({ kid: Kid, signFrom: z.iso.datetime(), key: z.union([z.string(), Ed25519Jwk]) })

type Entry = z.infer<typeof Entry>

/** What each member must be. An issue of zod is never shown: it can contain a part of the input. */
const rules = new Map<PropertyKey | undefined, string>([
  ['kid', 'kid must have 1 to 64 characters of A–Z, a–z, 0–9, ".", "_" and "-"'],
  ['signFrom', 'signFrom must be a time in UTC such as 2026-11-28T10:00:00Z (RFC 3339)'],
  ['key', 'key must be a secret, or an Ed25519 JWK with exactly kty "OKP", crv "Ed25519", x, and d if it is private'],
  [undefined, 'must be an object with exactly kid, signFrom and key'],
])

// The keys of RFC 8037, A.1, and of jwt.io's example.
const printedKeys = new Set([
  '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  'Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE',
])

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function findKeyFaults(key: Entry['key'], subject: string): string[] {
  if (typeof key === 'string')
    return looksLikeReference(key)
      ? [`${subject} must be the key itself, and looks like a reference to it`]
      : findSignKeyFaults(key, subject)
  if (key.d !== undefined && publicPartOf(key.d) !== key.x)
    return [`${subject} must have the x that belongs to its d: the two are of different keys`]
  if (printedKeys.has(key.x)) return [`${subject} is printed in public documents: generate one with npm run keys`]
  return []
}

function toSignKey({ kid, signFrom, key }: Entry): SignKey {
  const named = { kid, signFrom: new Date(signFrom) }
  if (typeof key === 'string') return { ...named, algorithm: 'HS256', secret: key }
  return { ...named, algorithm: 'EdDSA', x: key.x, d: key.d }
}

/**
 * Parses JSON `[{kid, signFrom, key}]`, where `key` is a secret for HS256 or the JWK of an Ed25519 key. A fault has
 * only the entry's number and kid.
 */
export function parseKeyRing(text: string, faults: string[], name = 'JWT_SIGN_KEYS'): KeyRing | undefined {
  const list = parseJson(text)
  if (!Array.isArray(list)) {
    faults.push(`${name} must be a JSON array of objects with kid, signFrom and key`)
    return undefined
  }
  const numbers = new Map<string, number>()
  const found: string[] = []
  const ring = list.flatMap((item: unknown, index) => {
    const number = index + 1
    const { data: kid } = z
      .looseObject({ kid: Kid })
      .transform((entry) => entry.kid)
      .safeParse(item)
    const subject = `${name} entry ${number}${kid === undefined ? '' : ` (kid ${kid})`}:`
    const { data: entry, error } = Entry.safeParse(item)
    const broken = new Set(error?.issues.map(({ path }) => path[0]))
    for (const member of broken) found.push(`${subject} ${rules.get(member)}`)
    const first = kid === undefined ? undefined : numbers.get(kid)
    if (first !== undefined) found.push(`${subject} repeats the kid of entry ${first}`)
    else if (kid !== undefined) numbers.set(kid, number)
    if (entry === undefined) return []
    found.push(...findKeyFaults(entry.key, `${subject} key`))
    return [toSignKey(entry)]
  })
  faults.push(...found)
  return found.length === 0 ? ring : undefined
}
