import { canonical, formsOf } from './forms.ts'
import { isListed } from './listed-passwords.ts'
import { isCommonPhrase } from './phrases.ts'

export type Person = { username: string; displayName: string }

/** The service's own words, and those that are common in passwords only. */
const fixedWords = [
  ...['rookery', 'rook', 'rooks', 'social', 'network', 'website'],
  ...['password', 'passphrase', 'passwort', 'secret', 'login', 'account', 'admin', 'letmein'],
]
const nameLengthMin = 3
/** Beyond it, the time to find a pair would grow with the square of the length. */
const pairLengthMax = 48

function ownWordsOf({ username, displayName }: Person): ReadonlySet<string> {
  const names = [username, displayName].flatMap((name) => [name, ...name.split(/[^\p{L}]+/u)])
  return new Set([...fixedWords, ...names.map(canonical).filter(({ length }) => length >= nameLengthMin)])
}

function isPair(form: string, own: ReadonlySet<string>): boolean {
  if (form.length > pairLengthMax) return false
  const isKnown = (part: string) => own.has(part) || isListed(part)
  for (let at = nameLengthMin; at <= form.length - nameLengthMin; at += 1) {
    if (isKnown(form.slice(0, at)) && isKnown(form.slice(at))) return true
  }
  return false
}

/**
 * Compares a password with the lists that ship: breached and common ones, two of them together, and phrases of very
 * common words, of the service's words and of the person's. Takes about 0.1 ms.
 * @returns what is wrong with it, as the detail of a fault
 */
export function findBlocked(password: string, person: Person): string | undefined {
  const own = ownWordsOf(person)
  const forms = formsOf(password)
  if (forms.some(({ parts }) => isCommonPhrase(parts, own))) {
    return 'Must not consist of very common words, your names or the name of this service: use several less common, unrelated words.'
  }
  if (forms.some(({ text }) => isListed(text) || isPair(text, own))) {
    return 'Must not be a common or breached password, nor two of them together: use several unrelated words.'
  }
  return undefined
}
