import { canonical, formsOf } from './forms.ts'
import { isListed } from './listed-passwords.ts'
import { isCommonPhrase } from './phrases.ts'

export type Person = { username: string; displayName: string }

const serviceWords = ['rookery', 'rook', 'rooks', 'social', 'network', 'website']
/** Common in passwords only. */
const passwordWords = [
  'password',
  'passphrase',
  'passwort',
  'kennwort',
  'motdepasse',
  'contraseña',
  'contrasena',
  'letmein',
]
const accountWords = ['secret', 'login', 'account', 'admin']
const nameLengthMin = 3
/** Beyond it, the time to find a pair would grow with the square of the length. */
const pairLengthMax = 48

function ownWordsOf({ username, displayName }: Person): ReadonlySet<string> {
  const names = [username, displayName].flatMap((name) => [name, ...name.split(/[^\p{L}]+/u)])
  return new Set([
    ...serviceWords,
    ...passwordWords,
    ...accountWords,
    ...names.map(canonical).filter(({ length }) => length >= nameLengthMin),
  ])
}

function isPair(form: string, own: ReadonlySet<string>): boolean {
  if (form.length > pairLengthMax) return false
  const isKnown = (part: string) => own.has(part) || isListed(part)
  for (let at = nameLengthMin; at <= form.length - nameLengthMin; at += 1) {
    if (isKnown(form.slice(0, at)) && isKnown(form.slice(at))) return true
  }
  return false
}

/** Takes about 0.1 ms. @returns what is wrong with the password, as the detail of a fault */
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
