import { randomInt } from 'node:crypto'

/** Crockford's base 32: no letter is mistaken for another when read out. */
export const crockfordLetters = '0123456789abcdefghjkmnpqrstvwxyz'

/** Groups of random letters, joined by hyphens: five bits for each letter. */
export function randomGroups(groups: number, letters: number): string {
  const letter = () => crockfordLetters[randomInt(crockfordLetters.length)]
  const group = () => Array.from({ length: letters }, letter).join('')
  return Array.from({ length: groups }, group).join('-')
}
