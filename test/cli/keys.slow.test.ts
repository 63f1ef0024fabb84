import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { serializeKeyRing } from '../../src/secrets/change-key-ring.ts'
import type { KeyRing } from '../../src/secrets/key-ring.ts'
import { parseKeyRing } from '../../src/secrets/parse-key-ring.ts'
import { root } from '../main/server-process.ts'
import { ed25519Key, publicKey, secondsFromNow, symmetricKey } from '../secrets/rings.ts'
import { startCommand } from './start-command.ts'

const keys = (t: Test, args: string[], input = '', env = {}) =>
  startCommand(t, 'cli/keys.ts', env, args, root, input).ended

function ringOf(text: string): KeyRing {
  const faults: string[] = []
  const ring = parseKeyRing(text, faults)
  if (ring === undefined) throw new Error(faults.join())
  return ring
}

t.test('without a FILE, each command reads standard input and prints the ring', async (t) => {
  const generated = await keys(t, ['generate'])
  t.match(generated, { code: 0, error: '' })
  const [first] = ringOf(generated.out)
  t.match(first, { algorithm: 'EdDSA', d: /^[\w-]{43}$/ })
  t.ok((first?.signFrom.getTime() ?? 0) <= Date.now())
  const before = Date.now()
  const rotated = await keys(t, ['rotate'], generated.out)
  t.match(rotated, { code: 0, error: '' })
  const ring = ringOf(rotated.out)
  t.same(ring[0], first)
  const signFrom = ring[1]?.signFrom.getTime() ?? 0
  t.ok(signFrom >= before + 600_000 && signFrom <= Date.now() + 600_000, 'two refreshes of 300 s')
  const open = ringOf((await keys(t, ['public'], rotated.out)).out)
  t.same(
    open,
    ring.map((key) => ({ ...key, d: undefined })),
  )
  const removed = await keys(t, ['retire', '--kid', ring[1]?.kid ?? ''], rotated.out)
  t.same(ringOf(removed.out), [first])
  const symmetric = await keys(t, ['generate', '--algorithm', 'HS256'])
  t.match(ringOf(symmetric.out), [{ algorithm: 'HS256', secret: /^[\da-f]{64}$/ }])
})

t.test('list shows each key’s state and no key material', async (t) => {
  const ring = [
    symmetricKey('spring', new Date('2026-03-01T00:00:00.000Z')),
    ed25519Key('summer', secondsFromNow(-5_000)),
    ed25519Key('autumn', secondsFromNow(-100)),
    ed25519Key('winter', secondsFromNow(600)),
  ]
  const { code, out, error } = await keys(t, ['list'], serializeKeyRing(ring))
  t.match({ code, error }, { code: 0, error: '' })
  const rows = out.trimEnd().split('\n')
  t.match(rows, [
    /^kid {5}algorithm {2}signFrom {18}state$/,
    /^spring {2}HS256 {6}2026-03-01T00:00:00\.000Z {2}retirable$/,
    /^summer {2}EdDSA {6}\S+ {2}verifies$/,
    /^autumn {2}EdDSA {6}\S+ {2}signs$/,
    /^winter {2}EdDSA {6}\S+ {2}next$/,
  ])
  for (const key of ring) t.notMatch(out, key.algorithm === 'HS256' ? key.secret : key.x)
})

t.test('with a FILE, the file changes, and key material is printed by public alone', async (t) => {
  const dir = t.testdir({})
  const file = join(dir, 'ring')
  const generated = await keys(t, ['generate', file])
  t.match(generated, { code: 0, error: '', out: /^The key \S+ signs from now on\.\n$/ })
  t.equal((await stat(file)).mode & 0o777, 0o600)
  const before = await readFile(file, 'utf8')
  t.match(await keys(t, ['generate', file]), { code: 78, error: `${file} is not empty: rotate adds a key to it.\n` })
  t.match(await keys(t, ['list', file]), { code: 0, out: / signs\n$/ })
  t.match(await keys(t, ['public', file]), { code: 0, out: /^\[\{"kid":"\S+"x":"[\w-]{43}"\}\}\]\n$/ })
  t.equal(await readFile(file, 'utf8'), before, 'list and public only read')
  t.match(await keys(t, ['retire', file]), { code: 0, out: 'No key is retirable.\n' })
  t.match(await keys(t, ['rotate', file, '--in', '0']), { code: 0, out: /^The key \S+ signs from \S+Z on\.\n$/ })
  const ring = ringOf(await readFile(file, 'utf8'))
  const leaked = ring[0]?.kid ?? ''
  t.match(await keys(t, ['retire', file, '--kid', leaked]), { code: 0, out: `Removed ${leaked}.\n` })
  t.same(ringOf(await readFile(file, 'utf8')), ring.slice(1))
  const only = ring[1]?.kid ?? ''
  const refused = await keys(t, ['retire', file, '--kid', only])
  t.match(refused, { code: 78, error: /^The key \S+ is the only one of the ring: add another one first\.\n$/ })
  t.same(await readdir(dir), ['ring'])
})

t.test('6 rotations at the same time add 6 keys', async (t) => {
  const file = join(t.testdir({}), 'ring')
  await writeFile(file, serializeKeyRing([ed25519Key('first')]))
  const ended = await Promise.all(Array.from({ length: 6 }, () => keys(t, ['rotate', file])))
  for (const { code, error } of ended) t.match({ code, error }, { code: 0, error: '' })
  t.equal(ringOf(await readFile(file, 'utf8')).length, 7)
})

t.test('bad arguments and rings exit with 78 and one sentence without key material', async (t) => {
  const secret = symmetricKey('a')
  const text = serializeKeyRing([secret])
  const open = serializeKeyRing([publicKey(ed25519Key('a'))])
  const refusals: [args: string[], input: string, sentence: string | RegExp, env?: Record<string, string>][] = [
    [['generate', '--algorithm', 'RS256'], '', '--algorithm must be EdDSA or HS256.\n'],
    [['rotate', '--in', '-1'], text, /^Option '--in' argument is ambiguous.*: see --help\.\n$/],
    [['rotate', '--in', 'soon'], text, '--in must be a whole number of seconds.\n'],
    [['rotate', '--kid', 'a'], text, 'rotate has no option --kid: see --help.\n'],
    [['list', '--all'], text, "Unknown option '--all': see --help.\n"],
    [['list'], '', 'Standard input has no ring: npm run keys -- generate makes one.\n'],
    [['list'], secret.secret, /^Standard input must be a JSON array of objects with kid, signFrom and key\.\n$/],
    [['list'], text.replace(/"signFrom":"[^"]*"/, '"signFrom":1'), /^Standard input entry 1 \(kid a\): signFrom must /],
    [['public'], text, /^The key a is symmetric and has no public part: /],
    [['rotate'], open, /^The ring has no key that signs: /],
    [['retire', '--kid', 'b'], text, 'The ring has no key with this kid: see npm run keys -- list.\n'],
    [['list', join(t.testdir({}), 'none')], '', /none has no ring: npm run keys -- generate makes one\.\n$/],
    [['retire', 'ring', 'a'], '', /^npm kept --kid for itself: /, { npm_config_kid: 'true' }],
    [[], '', /^Give a command and at most one FILE\.\n\nUsage: /],
    [['list', 'one', 'two'], '', /^Give a command and at most one FILE\./],
  ]
  for (const [args, input, sentence, env] of refusals) {
    const { code, out, error } = await keys(t, args, input, env)
    t.match({ code, out, error }, { code: 78, out: '', error: sentence }, args.join(' '))
    t.notMatch(error, secret.secret)
  }
})
