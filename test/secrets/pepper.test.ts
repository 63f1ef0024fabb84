import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.ts'
import { external, faultsOf } from '../config/faults.ts'

const read = async (PASSWORD_PEPPER: string) => (await readConfig({ ...external, PASSWORD_PEPPER })).peppers
const a = { id: 'a', secret: 'hunter2-of-the-first' }
const b = { id: '2026-11_B', secret: 'hunter2:with=other/characters+ and a space' }
const text = ({ id, secret }: typeof a) => `${id}:${secret}`

async function expectRefused(t: Test, PASSWORD_PEPPER: string, ...why: (string | RegExp)[]): Promise<void> {
  const faults = await faultsOf(t, { ...external, PASSWORD_PEPPER })
  t.match(faults, why, PASSWORD_PEPPER)
  t.equal(faults.length, why.length, 'a line for each entry at fault')
  for (const fault of faults) t.match(fault, /^PASSWORD_PEPPER must hold /)
  t.notMatch(faults.join('\n'), /hunter2|bad one/, 'that shows nothing of it')
}

t.test('there is none, or one, or several in their order', async (t) => {
  t.same((await readConfig(external)).peppers, [])
  t.same(await read(''), [])
  t.same(await read(text(a)), [a])
  t.same(await read(`${text(b)},${text(a)}`), [b, a])
  t.same(await read(`\n ${text(a)} ,, \r\n${text(b)}\r\n,`), [a, b], 'commas, newlines, and nothing between them')
  t.same(await read(`${a.id}: ${a.secret}`), [a], 'a space that YAML teaches is no part of the secret')
})

t.test('an id is 1 to 32 of a few characters, and ends at the first colon', async (t) => {
  for (const id of ['a', '0', '_', '-', 'Z'.repeat(32)]) t.same(await read(`${id}:${b.secret}`), [{ ...b, id }])
  const form = /id:secret, separated by commas or newlines, an id being 1 to 32 of .*: entry 1 is something else$/
  for (const id of ['', ' ', 'Z'.repeat(33), 'ä', 'bad one', 'a.b', '$a', '\0'])
    await expectRefused(t, `${id}:${a.secret}`, form)
  await expectRefused(t, a.secret, form)
  await expectRefused(t, ',', /: there is none$/)
  await expectRefused(t, `${text(a)},${a.secret}`, /: entry 2 is something else$/)
})

t.test('a secret has 14 bytes, as 112 bits take, and 8 different characters', async (t) => {
  const weak = /at least 14 bytes and 8 different characters: entry 1 does not; for one, openssl rand -hex 32$/
  for (const secret of ['hunter2-hunter', 'hunter2€hunt']) t.same(await read(`a:${secret}`), [{ id: 'a', secret }])
  for (const secret of ['', 'hunter2-hunte', 'hunter2€hun', 'hunter2'.repeat(9)])
    await expectRefused(t, `a:${secret}`, weak)
  for (let tries = 0; tries < 200; tries++) await read(`a:${randomBytes(32).toString('hex')}`)
  await expectRefused(t, 'hunter2_first_half:hunter2,hunter2_third:part', weak, /: entry 2 does not;/)
})

t.test('an id is given once', async (t) => {
  const again = { ...b, id: a.id }
  await expectRefused(t, [a, b, again].map(text).join(), /an id once: entry 3 has that of entry 1$/)
  t.same(await read([a, { ...b, id: 'A' }].map(text).join()), [a, { ...b, id: 'A' }], 'ids have a case')
})

t.test('a file has one a line, and is told from the variable', async (t) => {
  const root = t.testdir({ peppers: `${text(b)}\n${text(a)}\n`, bad: 'hunter2', none: '\n' })
  const from = (PASSWORD_PEPPER_FILE: string) => ({ ...external, PASSWORD_PEPPER_FILE })
  t.same((await readConfig(from('peppers'), root)).peppers, [b, a])
  t.match(await faultsOf(t, from('bad'), root), [/^PASSWORD_PEPPER must hold id:secret/])
  t.same(await faultsOf(t, from('none'), root), ['PASSWORD_PEPPER_FILE names an empty file'])
  t.same(await faultsOf(t, from('missing'), root), ['PASSWORD_PEPPER_FILE names a file that cannot be read'])
  t.same(await faultsOf(t, { ...from('peppers'), PASSWORD_PEPPER: text(a) }, root), [
    'PASSWORD_PEPPER and PASSWORD_PEPPER_FILE are both set: keep one of them',
  ])
})

t.test('its faults are told with all others', async (t) => {
  const faults = await faultsOf(t, { ...external, PORT: 'x', JWT_SIGN_KEY: 'short', PASSWORD_PEPPER: 'hunter2' })
  t.match(faults, [/^PORT /, /^JWT_SIGN_KEY /, /^PASSWORD_PEPPER /])
})
