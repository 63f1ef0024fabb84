import { below, fingerprint, pick, type Random, randomStream } from './random.ts'

/** Who a robot is: the same for the same seed and index, on every machine. */
export type Identity = { index: number; username: string; password: string; displayName: string; bio: string }

const tempers = [
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
  'Nobody told me that',
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

const longestText = 500

/**
 * The name ends in a fingerprint of seed and index, so that two seeds never meet on one server; the password cannot be
 * told from the name without the seed.
 */
export function identity(seed: number, index: number): Identity {
  const random = randomStream('identity', seed, index)
  const temper = pick(random, tempers)
  const bird = pick(random, birds)
  return {
    index,
    username: `${temper}_${bird}_${fingerprint(10, 'name', seed, index)}`,
    password: password(seed, index),
    displayName: `${capitalised(temper)} ${capitalised(bird)}`,
    bio: sentence(random),
  }
}

/** The text of a robot's post: 1 to 500 characters in NFC, one in ten filled up to exactly 500. */
export function postText(seed: number, index: number, post: number): string {
  const random = randomStream('post', seed, index, post)
  const wanted = random() < 0.1 ? longestText : 0
  const sentences = Array.from({ length: 1 + below(random, 3) }, () => sentence(random))
  while ([...sentences.join(' ')].length < wanted) sentences.push(sentence(random))
  const characters = [...sentences.join(' ').normalize('NFC')].slice(0, longestText)
  // The cut may leave white space at the end, where a reader would not see it missing.
  return characters.join('').replace(/\s$/, '.')
}

/** Four words of six letters: digits among them would cost the server's zxcvbn 0.1 s for each guess at look-alikes. */
function password(seed: number, index: number): string {
  const random = randomStream('password', seed, index)
  const word = () => Array.from({ length: 6 }, () => pick(random, letters)).join('')
  return [word(), word(), word(), word()].join(' ')
}

function sentence(random: Random): string {
  return `${pick(random, openings)} ${pick(random, subjects)} ${pick(random, verbs)} ${pick(random, objects)}${pick(random, endings)}`
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
