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
]
const verbs = ['remembers', 'forgets', 'sings about', 'argues with', 'keeps', 'repairs', 'paints', 'waits for']
const objects = [
  'the rain',
  'a borrowed book',
  'every promise',
  'the last tram',
  'two blue authSlots',
  'a crème brûlée',
  'the choir 🎶',
  'naïve questions',
]
const endings = ['.', '!', '?', '…', ' 👩‍👩‍👧', '\nTwice.', '\tIndeed.', ' <b>"&amp;"</b>', ' \\o/']

const letters = [...'abcdefghijklmnopqrstuvwxyz']

const maxTextLength = 500

/**
 * Deterministic: the password can be derived from the seed. The fingerprint keeps the usernames of two seeds apart and does
 * not reveal the password.
 */
export function identity(seed: number, index: number): Identity {
  const random = randomStream('identity', seed, index)
  const adjective = pick(random, adjectives)
  const bird = pick(random, birds)
  return {
    index,
    username: `${adjective}_${bird}_${fingerprint(10, 'name', seed, index)}`,
    password: seededPassword(seed, index),
    displayName: `${capitalized(adjective)} ${capitalized(bird)}`,
    bio: `I am a robot. ${sentence(random)}`,
  }
}

/** As {@link identity}, but with a password from the system's random source, and so a username that no seed repeats. */
export function privateIdentity(seed: number, index: number): Identity {
  const seeded = identity(seed, index)
  const username = seeded.username.replace(/[^_]+$/, fingerprint(10, 'name', randomUUID()))
  return { ...seeded, username, password: password(() => letters[randomInt(letters.length)] ?? '') }
}

/** The text of a post: 1 to 500 characters in NFC, one in ten of exactly 500. */
export function postText(seed: number, index: number, post: number): string {
  const random = randomStream('post', seed, index, post)
  const minLength = random() < 0.1 ? maxTextLength : 0
  const sentences = Array.from({ length: 1 + below(random, 3) }, () => sentence(random))
  while ([...sentences.join(' ')].length < minLength) sentences.push(sentence(random))
  const characters = [...sentences.join(' ').normalize('NFC')].slice(0, maxTextLength)
  // The cut may leave trailing white space, whose loss in a comparison would be invisible.
  return characters.join('').replace(/\s$/, '.')
}

function seededPassword(seed: number, index: number): string {
  const random = randomStream('password', seed, index)
  return password(() => pick(random, letters))
}

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
