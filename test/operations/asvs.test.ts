import { access, readFile } from 'node:fs/promises'
import t from 'tap'

const path = new URL('../../docs/asvs.md', import.meta.url)

type Row = { ids: string[]; level: number; status: string; tests: string[] }

/** `10.4.6–10.4.11` stands for six requirements. */
function idsOf(cell: string): string[] {
  const [first = '', last = first] = cell.split('–')
  const section = first.slice(0, first.lastIndexOf('.'))
  const numberOf = (id: string) => Number(id.slice(id.lastIndexOf('.') + 1))
  const count = numberOf(last) - numberOf(first) + 1
  return Array.from({ length: count }, (_, n) => `${section}.${numberOf(first) + n}`)
}

const rowsOf = (text: string): Row[] =>
  [...text.matchAll(/^\| ([\d.–]+) \| (\d) \|(.*)\|$/gm)].map(([, ids = '', level, rest = '']) => {
    const [, status = '', , tests = ''] = rest.split('|').map((cell) => cell.trim())
    return {
      ids: idsOf(ids),
      level: Number(level),
      status,
      tests: [...tests.matchAll(/`([^`]+)`/g)].map(([, test = '']) => test),
    }
  })

t.test('docs/asvs.md has every requirement of levels 1 and 2 of ASVS 5.0 once', async (t) => {
  const rows = rowsOf(await readFile(path, 'utf8'))
  const ids = rows.flatMap(({ ids }) => ids)
  t.equal(new Set(ids).size, ids.length)
  const ofLevel = (level: number) => rows.filter((row) => row.level === level).flatMap(({ ids }) => ids).length
  // As counted in the standard.
  t.same([ofLevel(1), ofLevel(2)], [70, 183])
  t.same(
    rows.filter(({ level, status }) => level === 1 && status === 'not met').map(({ ids }) => ids),
    [],
    'level 1 is met whole',
  )
  for (const { ids, status } of rows) t.ok(['met', 'operator', 'n/a', 'not met'].includes(status), `${ids}: ${status}`)
})

t.test('the tests that it names exist', async (t) => {
  const tests = new Set(rowsOf(await readFile(path, 'utf8')).flatMap((row) => row.tests))
  for (const test of tests)
    await t.resolves(access(new URL(`../${test}.test.ts`, import.meta.url)), `test/${test}.test.ts`)
})
