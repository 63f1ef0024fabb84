import { inspect } from 'node:util'
import t from 'tap'
import { createCanaries } from './fixtures/canaries.ts'

t.test('the search for canaries finds 16 characters of one in each encoding, at any position', async (t) => {
  const canaries = createCanaries()
  const secret = canaries.plant('one')
  canaries.plant('another')
  const encodings: Record<string, (text: string) => string> = {
    'plain text': (text) => text,
    JSON: (text) => JSON.stringify({ error: text }),
    'JSON in JSON': (text) => JSON.stringify(JSON.stringify({ error: text })),
    URI: encodeURIComponent,
    base64: (text) => Buffer.from(text).toString('base64'),
    base64url: (text) => Buffer.from(text).toString('base64url'),
    hex: (text) => Buffer.from(text).toString('hex'),
    'inspected bytes': (text) => inspect(Buffer.from(text)),
    'bytes in JSON': (text) => JSON.stringify(Buffer.from(text)),
  }
  for (const [encoding, encode] of Object.entries(encodings)) {
    for (let start = 0; start + 16 <= secret.length; start += 1) {
      const found = canaries.find(
        `before ${encode(`${'x'.repeat(start % 3)}${secret.slice(start, start + 16)}`)} after`,
      )
      if (found.length === 0 || !found.every((name) => name.startsWith('one as '))) t.fail(`${encoding}: ${found}`)
    }
  }
  t.same(canaries.find(JSON.stringify({ error: 'none of them', tokens: 'x'.repeat(10_000) })), [])
})

t.test('the search for canaries finds the bytes of a key whose text is base64url', async (t) => {
  const canaries = createCanaries()
  const bytes = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex')
  canaries.plant('key', bytes.toString('base64url'))
  canaries.plantBytes('key', bytes)
  for (const text of [bytes.toString('base64url'), bytes.toString('base64'), bytes.toString('hex'), inspect(bytes)])
    t.match(canaries.find(text), [/^key as /])
})
