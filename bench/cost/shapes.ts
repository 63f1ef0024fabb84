import { randomBytes } from 'node:crypto'
import { newId } from '../../src/database/ids.ts'
import type { Sent } from './client.ts'
import type { Operation } from './openapi.ts'
import type { Plain } from './operations.ts'

const bodyBytes = 16_384
/** Less than the 16 KiB of all headers, with room for the line and what a request has anyway. */
const headerBytes = 15_000
const listCharacters = 1_000
const urlLength = 4_000
/** So many different ones, in turn: a process remembers tokens that it has refused. */
const different = 50

const fillTo = (length: number, part: string) => part.repeat(Math.max(0, Math.floor(length / part.length)))

/** What the strings of a body are filled with. The second kind is valid: texts are measured after NFC or NFKC. */
const letters: Record<string, string> = {
  ascii: 'a',
  'combining marks': '\u0301',
  'letters of four code points': 'ᾂ'.normalize('NFD'),
  'ligatures that NFKC expands': '\ufdfa',
  emoji: '\u{1F469}\u200d',
  'white space': ' ',
  digits: '1',
  'CR LF': '\r\n',
}

type Body = Record<string, unknown>

/** Replaces every string, also of members of members. */
function mapStrings(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === 'string') return replace(value)
  if (Array.isArray(value)) return value.map((each) => mapStrings(each, replace))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mapStrings(each, replace)]))
}

function countStrings(value: unknown): number {
  let count = 0
  mapStrings(value, (text) => {
    count += 1
    return text
  })
  return Math.max(1, count)
}

/** Bodies of at most 16 KiB in their most expensive shapes. */
function worstBodies(plain: Body): [string, string][] {
  const room = Math.floor((bodyBytes - 400) / countStrings(plain))
  const long = Object.entries(letters).map(([name, part]): [string, string] => {
    const count = Math.floor(room / Buffer.byteLength(JSON.stringify(part).slice(1, -1)))
    return [`long strings: ${name}`, JSON.stringify(mapStrings(plain, () => part.repeat(count)))]
  })
  const longest = Object.entries(letters).map(([name, part]): [string, string] => {
    const characters = [...part].length
    const fill = (of: string) => part.repeat(Math.max(1, Math.floor((of.length > 40 ? 500 : 256) / characters)))
    return [`strings of about 256: ${name}`, JSON.stringify(mapStrings(plain, fill)).slice(0, bodyBytes)]
  })
  const members = Object.fromEntries(Array.from({ length: 96 }, (_, n) => [`${n}${fillTo(140, 'é')}`.slice(0, 70), n]))
  const escapes = JSON.stringify(mapStrings(plain, () => '#')).replaceAll('#', fillTo(room, '\\u0041'))
  const surrogates = JSON.stringify(mapStrings(plain, () => '#')).replaceAll('#', fillTo(room, '\\ud800'))
  return [
    ...long,
    ...longest,
    ['96 unknown members', JSON.stringify({ ...plain, ...members })],
    ['99 levels', '['.repeat(99) + ']'.repeat(99)],
    ['a number of 16 KB', `{"x":${fillTo(bodyBytes - 10, '1')}}`],
    ['escapes', escapes],
    ['unpaired surrogates', surrogates],
    ['no end', `{"x":"${fillTo(bodyBytes - 10, 'é').slice(0, bodyBytes / 2 - 10)}`],
    ['spaces', `${' '.repeat(bodyBytes - 2)}{}`],
    ['16,384 brackets', '['.repeat(bodyBytes)],
  ]
}

/** Each as it would be, were it not for its signature. @param own - an access token of the server */
function forgedAccess(own: string): string {
  const [header = '', payload = ''] = own.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const forged = JSON.stringify({ ...claims, sub: newId(), sid: newId() })
  return [header, Buffer.from(forged).toString('base64url'), randomBytes(32).toString('base64url')].join('.')
}

/** The most and the longest cookies with each of our names: several headers of each kind. */
export function worstCookies(own: string): [string, string[]][] {
  const many = (name: string, value: () => string) => () => {
    const pairs: string[] = []
    for (let length = 0; ; ) {
      const pair = `${name}=${value()}`
      length += pair.length + 2
      if (length > headerBytes) return pairs.join('; ')
      pairs.push(pair)
    }
  }
  const random = (bytes: number) => () => randomBytes(bytes).toString('base64url')
  const challenge = (purpose: string) => () => `${purpose}.${newId()}:1.${Date.now()}.${random(16)()}.${random(32)()}`
  const kinds: [string, () => string][] = [
    ['forged access cookies', many('session', () => forgedAccess(own))],
    ['access cookies of another form', many('session', () => `eyJ${random(60)()}.eyJ${random(160)()}.${random(32)()}`)],
    [
      'one access cookie of 15 KB',
      () => `session=eyJ${fillTo(headerBytes / 2, 'x')}.eyJ${fillTo(headerBytes / 3, 'y')}`,
    ],
    ['refresh cookies', many('refresh', random(64))],
    ['device cookies', many('device', random(32))],
    ['challenges of passkeys', many('passkey', challenge('passkey-login'))],
    ['challenges of second factors', many('second-factor', challenge('second-factor'))],
    ['our name 1,700 times', () => fillTo(headerBytes, 'session=;')],
    ['our name in other names', () => fillTo(headerBytes, 'xsessionx=refresh device;')],
    ['quotes and spaces', () => `session="${fillTo(headerBytes, ' ')}"`],
  ]
  return kinds.map(([name, make]) => [name, Array.from({ length: different }, make)])
}

const hops = fillTo(listCharacters - 20, '2001:db8:1:2:3:4:5:6, ')

/** All long lists at once, which are the longest that are read; or as many headers as are permitted. */
const worstHeaders: Record<string, Record<string, string>> = {
  'long lists': {
    accept: fillTo(listCharacters, 'a/b;q=0.1,'),
    'accept-encoding': fillTo(listCharacters, 'x;q=0.1,'),
    'accept-language': fillTo(listCharacters, 'en;q=0.1,'),
    'if-none-match': fillTo(listCharacters, 'W/"a",'),
    'x-forwarded-for': `${hops}203.0.113.7`,
    'user-agent': fillTo(4_000, '\x80'),
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    'idempotency-key': fillTo(64, 'k'),
    'last-event-id': 'f'.repeat(24),
    'sec-fetch-site': 'none',
  },
  'lists that are too long': {
    accept: fillTo(3_000, 'a/b;q=0.1,'),
    'accept-encoding': fillTo(3_000, 'x;q=0.1,'),
    'if-none-match': fillTo(3_000, '"a",'),
    traceparent: fillTo(1_000, '00-'),
    'idempotency-key': fillTo(2_000, 'k'),
    'last-event-id': fillTo(2_000, 'f'),
  },
  '500 headers': Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`a${n}`, '1'])),
  'a Forwarded of 1,000 characters': {
    forwarded: `${fillTo(listCharacters - 40, 'for="[2001:db8::1]:80",')}for=203.0.113.7`,
  },
  'an Origin of 15 KB': { origin: `https://${fillTo(headerBytes, 'a')}` },
}

/** @property isRepeated - whether several requests serve more than once */
export type Variant = { name: string; plain: Plain; isRepeated?: boolean }

export const isRepeatable = ({ plain, isRepeated = false }: Variant): boolean => isRepeated || !Array.isArray(plain)

type Options = Pick<Operation, 'hasCursor' | 'hasParameter' | 'needsSession'> & {
  cookies: readonly [string, string[]][]
}

/** The worst legal requests of an operation, and refused ones, made of its plain request. */
export function variantsOf(plain: Plain, { hasCursor, hasParameter, needsSession, cookies }: Options): Variant[] {
  const sent = Array.isArray(plain) ? plain.at(-1) : plain
  if (sent === undefined) throw new Error('there is a plain request')
  const one: Sent = sent
  const { headers, path, body } = one
  const { cookie, ...without } = headers
  const addTo = (more: string) => `${path}${path.includes('?') ? '&' : '?'}${more}`
  const variants: Variant[] = []
  const add = (name: string, changed: Partial<Sent>) => variants.push({ name, plain: { ...one, ...changed } })

  if (cookie !== undefined) add('no session', { headers: without })
  for (const [name, more] of Object.entries(worstHeaders))
    if (!needsSession || name === 'long lists') add(name, { headers: { ...headers, ...more } })
  for (const [name, made] of cookies) {
    // Whatever needs a session refuses these in one hook, whichever operation it is.
    if (needsSession && !name.startsWith('forged')) continue
    const withCookie = (each: string) => ({ ...one, headers: { ...without, cookie: each } })
    variants.push({ name, plain: made.map(withCookie), isRepeated: true })
    // The last counts first.
    if (cookie !== undefined && needsSession)
      variants.push({
        name: `${name}, then its own`,
        plain: made.map((each) => withCookie(`${each}; ${cookie}`)),
        isRepeated: true,
      })
  }
  if (hasCursor) {
    add('100 items', { path: addTo('limit=100') })
    if (cookie !== undefined) add('100 items, no session', { path: addTo('limit=100'), headers: without })
  }
  if (!needsSession || hasCursor)
    add('400 parameters', { path: addTo(Array.from({ length: 400 }, (_, n) => `p${n}=%41`).join('&')) })
  if (!needsSession || hasCursor)
    add('a long parameter', { path: addTo(`cursor=${fillTo(urlLength - path.length, '%41')}`) })
  if (hasParameter) {
    add('a long id', { path: path.replace(/[^/?]{8,}/, fillTo(urlLength, '%C3%A9')) })
    add('an id of bytes', { path: path.replace(/[^/?]{8,}/, fillTo(urlLength, '\xff')) })
  }
  if (body !== undefined) {
    const json = JSON.parse(String(body)) as Body // made by a recipe
    // Without a session, bodies that are refused are bounded by the pace of requests alone.
    const bodies = worstBodies(json).filter(([name]) => !needsSession || name.endsWith('code points'))
    for (const [name, text] of bodies) add(name, { body: text })
    add('20 KB', { body: Buffer.alloc(20_000, ' ') })
    add('another media type', {
      body: Buffer.alloc(bodyBytes, ' '),
      headers: { ...headers, 'content-type': 'text/plain' },
    })
    add('a media type of 15 KB', {
      headers: { ...headers, 'content-type': `application/json;${fillTo(headerBytes, ' a=b;')}` },
    })
  } else
    add('a body', { body: Buffer.alloc(bodyBytes, '['), headers: { ...headers, 'content-type': 'application/json' } })
  return variants
}
