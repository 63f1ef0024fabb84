import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { external, faultsOf } from '../config/faults.ts'

const readPeppers = async (PASSWORD_PEPPER: string) =>
  (await readConfig({ ...external, PASSWORD_PEPPER })).secrets.peppers
const a = { id: 'a', secret: 'hunter2-of-the-first' }
const b = { id: '2026-11_B', secret: 'hunter2:with=other/characters+ and a space' }
const text = ({ id, secret }: typeof a) => `${id}:${secret}`

async function expectRefused(t: Test, PASSWORD_PEPPER: string, ...why: (string | RegExp)[]): Promise<void> {
  const faults = await faultsOf(t, { ...external, PASSWORD_PEPPER })
  t.match(faults, why, PASSWORD_PEPPER)
  t.equal(faults.length, why.length, 'one line for each faulty entry')
  for (const fault of faults) t.match(fault, /^PASSWORD_PEPPER must contain /)
  t.notMatch(faults.join('\n'), /hunter2|bad one/, 'no fault contains a part of the value')
}

t.test('no pepper, one, or several are read in their order', async (t) => {
  t.same((await readConfig(external)).secrets.peppers, [])
  t.same(await readPeppers(''), [])
  t.same(await readPeppers(text(a)), [a])
  t.same(await readPeppers(`${text(b)},${text(a)}`), [b, a])
  t.same(await readPeppers(`\n ${text(a)} ,, \r\n${text(b)}\r\n,`), [a, b], 'commas, newlines and empty entries')
  t.same(
    await readPeppers(`${a.id}: ${a.secret}`),
    [a],
    'a space after the colon, as in YAML, is not part of the secret',
  )
})

t.test('an id has 1 to 32 characters of A–Z, a–z, 0–9, _ and -, and ends at the first colon', async (t) => {
  for (const id of ['a', '0', '_', '-', 'Z'.repeat(32)]) t.same(await readPeppers(`${id}:${b.secret}`), [{ ...b, id }])
  const form = /id:secret, separated by commas or newlines, with ids of 1 to 32 .*: entry 1 does not have this form$/
  for (const id of ['', ' ', 'Z'.repeat(33), 'ä', 'bad one', 'a.b', '$a', '\0'])
    await expectRefused(t, `${id}:${a.secret}`, form)
  await expectRefused(t, a.secret, form)
  await expectRefused(t, ',', /: it has no entry$/)
  await expectRefused(t, `${text(a)},${a.secret}`, /: entry 2 does not have this form$/)
})

t.test('a secret has at least 14 bytes (112 bits) and 8 different characters', async (t) => {
  const weak =
    /at least 14 bytes and 8 different characters: entry 1 has fewer; generate one with openssl rand -hex 32$/
  for (const secret of ['hunter2-hunter', 'hunter2€hunt'])
    t.same(await readPeppers(`a:${secret}`), [{ id: 'a', secret }])
  for (const secret of ['', 'hunter2-hunte', 'hunter2€hun', 'hunter2'.repeat(9)])
    await expectRefused(t, `a:${secret}`, weak)
  for (let attempt = 0; attempt < 200; attempt++) await readPeppers(`a:${randomBytes(32).toString('hex')}`)
  await expectRefused(t, 'hunter2_first_half:hunter2,hunter2_third:part', weak, /: entry 2 has fewer;/)
})

t.test('two peppers with one id are a fault', async (t) => {
  const repeated = { ...b, id: a.id }
  await expectRefused(t, [a, b, repeated].map(text).join(), /each id once: entry 3 repeats the id of entry 1$/)
  t.same(await readPeppers([a, { ...b, id: 'A' }].map(text).join()), [a, { ...b, id: 'A' }], 'ids are case-sensitive')
})

t.test('PASSWORD_PEPPER_FILE contains one pepper per line', async (t) => {
  const root = t.testdir({ peppers: `${text(b)}\n${text(a)}\n`, bad: 'hunter2', none: '\n' })
  const from = (PASSWORD_PEPPER_FILE: string) => ({ ...external, PASSWORD_PEPPER_FILE })
  t.same((await readConfig(from('peppers'), root)).secrets.peppers, [b, a])
  t.match(await faultsOf(t, from('bad'), root), [/^PASSWORD_PEPPER must contain id:secret/])
  t.same(await faultsOf(t, from('none'), root), ['PASSWORD_PEPPER_FILE names an empty file: write the secret to it'])
  t.same(await faultsOf(t, from('missing'), root), [
    'PASSWORD_PEPPER_FILE names a file that cannot be read: check its path and permissions',
  ])
  t.same(await faultsOf(t, { ...from('peppers'), PASSWORD_PEPPER: text(a) }, root), [
    'PASSWORD_PEPPER and PASSWORD_PEPPER_FILE are both set: remove one of them',
  ])
})

t.test('faults of peppers are reported together with all others', async (t) => {
  const faults = await faultsOf(t, { ...external, PORT: 'x', JWT_SIGN_KEY: 'short', PASSWORD_PEPPER: 'hunter2' })
  t.match(faults, [/^PORT /, /^JWT_SIGN_KEY /, /^PASSWORD_PEPPER /])
})
