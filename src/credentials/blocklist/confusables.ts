import { readFileSync } from 'node:fs'

const rows = readFileSync(new URL('./confusables.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n')
const letters = new Map(rows.flatMap((row) => Array.from(row.slice(1), (lookAlike) => [lookAlike, row.charAt(0)])))

const isAscii = /^\p{ASCII}*$/u

/** Replaces look-alikes of Latin letters, and drops accents: zxcvbn and the lists know the Latin spelling. */
export function foldConfusables(text: string): string {
  if (isAscii.test(text)) return text
  // Diacritics of alphabets only, and recomposed: the marks of Thai and the syllables of Korean are letters.
  const bare = text
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
  return Array.from(bare, (character) => letters.get(character) ?? character).join('')
}
