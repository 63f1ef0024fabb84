import { randomInt, randomUUID } from 'node:crypto'
import { below, fingerprint, pick, type Random, randomStream } from './random.ts'

export type Identity = { index: number; username: string; password: string; displayName: string; bio: string }

const adjectives = [
  'amber',
  'brisk',
  'calm',
  'dusky',
  'eager',
  'frank',
  'gentle',
  'humble',
  'jolly',
  'keen',
  'lively',
  'merry',
]
const birds = [
  'crow',
  'dunnock',
  'finch',
  'heron',
  'jackdaw',
  'kite',
  'linnet',
  'magpie',
  'owl',
  'raven',
  'rook',
  'wren',
]

const openings = [
  'This morning',
  'On the way home',
  'You never told me that',
  'I still think',
  'For the record:',
  'Überraschung:',
  '今日は',
  'صباح الخير',
  'בוקר טוב,',
  'Δεν ξεχνώ:',
  'वैसे',
]
const subjects = [
  'the bakery',
  'my neighbour',
  'an old bridge',
  'the night train',
  'le café du coin',
  'señor Ibáñez',
  'the smallest 🐦',
  'Привет, город',
  'البحر',
  '古い橋',
  'the 👩🏽‍🚀 next door',
]
const verbs = ['remembers', 'forgets', 'sings about', 'argues with', 'keeps', 'repairs', 'paints', 'waits for']
const objects = [
  'the rain',
  'a borrowed book',
  'every promise',
  'the last tram',
  'two blue shoes',
  'a crème brûlée',
  'the choir 🎶',
  'naïve questions',
]
const endings = ['.', '!', '?', '…', ' 👩‍👩‍👧', '\nTwice.', '\tIndeed.', ' <b>"&amp;"</b>', ' \\o/']

const letters = [...'abcdefghijklmnopqrstuvwxyz']

const maxTextLength = 500

/** The username holds the run, so that two runs never meet; the password can be derived from the seed. */
export function identity(seed: number, index: number, run: string): Identity {
  const random = randomStream('identity', seed, index)
  const adjective = pick(random, adjectives)
  const bird = pick(random, birds)
  return {
    index,
    username: `${adjective}_${bird}_${run}_${index}`,
    password: seededPassword(seed, index),
    displayName: `${capitalized(adjective)} ${capitalized(bird)}`,
    bio: `I am a robot. ${sentence(random)}`,
  }
}

/** As {@link identity}, but with a password from the system's random source. */
export function privateIdentity(seed: number, index: number, run: string): Identity {
  return { ...identity(seed, index, run), password: randomPassword() }
}

/** A name for a run, which no other run has. */
export function newRun(): string {
  return fingerprint(7, 'run', randomUUID())
}

export function randomPassword(): string {
  return password(() => letters[randomInt(letters.length)] ?? '')
}

/** The password that a robot changes to. */
export function nextPassword({ password, index }: Identity): string {
  const random = randomStream('next password', password, index)
  return seededWords(random)
}

export function nextBio(seed: number, index: number): string {
  return `Still a robot. ${sentence(randomStream('bio', seed, index))}`.normalize('NFC')
}

/**
 * The text of a post, or of its nth version: 1 to 500 characters in NFC, one in ten of exactly 500. It begins with the
 * post's number, by which its author's posts can be told apart.
 */
export function postText(seed: number, index: number, post: number, version = 0): string {
  const random = randomStream('post', seed, index, post, version)
  const minLength = (index + post) % 10 === seed % 10 ? maxTextLength : 0
  const sentences = Array.from({ length: 1 + below(random, 3) }, () => sentence(random))
  const text = () => `${post}. ${sentences.join(' ')}`
  while ([...text()].length < minLength) sentences.push(sentence(random))
  const characters = [...text().normalize('NFC')].slice(0, maxTextLength)
  // The cut may leave trailing white space, whose loss in a comparison would be invisible.
  return characters.join('').replace(/\s$/, '.')
}

/** The number with which a text of {@link postText} begins. */
export function numberOf(text: string): number | null {
  const [, digits] = /^(\d+)\. /.exec(text) ?? []
  return digits === undefined ? null : Number(digits)
}

function seededPassword(seed: number, index: number): string {
  const random = randomStream('password', seed, index)
  return seededWords(random)
}

const seededWords = (random: Random) => password(() => pick(random, letters))

/** Four words of six letters. With digits, the server's zxcvbn spends 0.1 s on each l33t variant. */
function password(letter: () => string): string {
  const word = () => Array.from({ length: 6 }, letter).join('')
  return [word(), word(), word(), word()].join(' ')
}

function sentence(random: Random): string {
  return `${pick(random, openings)} ${pick(random, subjects)} ${pick(random, verbs)} ${pick(random, objects)}${pick(random, endings)}`
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
