import { createRequire } from 'node:module'
import t from 'tap'
import { randomStream } from '../../../bot/random.ts'
import { findBlocked } from '../../../src/credentials/blocklist/blocklist.ts'
import { bloomFilter, buildBloomFilter } from '../../../src/credentials/blocklist/bloom-filter.ts'

const person = { username: 'ann_smith', displayName: 'Ann Ösk' }
const isBlocked = (password: string, owner = person) => findBlocked(password, owner) !== undefined

// The EFF's long list: an array of strings.
const diceware = createRequire(import.meta.url)('@zxcvbn-ts/language-common/src/diceware.json') as string[]

t.test(
  'listed passwords are blocked, whatever their case, separators, look-alikes and digits at the ends',
  async (t) => {
    for (const password of [
      'maytheforcebewithyou',
      'May the force be with you!',
      'm.a.y.t.h.e.f.o.r.c.e.b.e.w.i.t.h.y.o.u',
      'm@yth3f0rc3b3w1thy0u',
      'cristianoronaldo7',
      'Cr1st1an0-R0naldo-2026',
      '1999iloveyouforever',
      'correct horse battery staple',
      'password1234567',
      'trustno1trustno1trustno1',
    ])
      t.ok(isBlocked(password), password)
  },
)

t.test('two listed passwords together are blocked', async (t) => {
  for (const password of ['liverpoolchelsea', 'Liverpool-Chelsea-99', 'elephantumbrella', 'rookerydragon123'])
    t.ok(isBlocked(password), password)
})

t.test('phrases of very common words are blocked', async (t) => {
  for (const password of [
    'theresnoplacelikehome',
    'There’s no place like home',
    'theyre2goodtobetrue',
    'To be or not to be: that is the question',
    'ihaveadream1963',
    'thisismypassword',
    'contraseña123456',
  ])
    t.ok(isBlocked(password), password)
})

t.test('a password that consists of the service’s words and the person’s is blocked', async (t) => {
  for (const password of [
    'welcometorookery',
    'Welcome to Rookery 2026',
    'r00kery-r00kery',
    'myrookerypassword',
    'iloverookery1234',
    'letmeintorookery',
    'annsmithannsmith',
    'smith loves ann 99',
    'ÖskÖskÖsk12345!',
  ])
    t.ok(isBlocked(password), password)
  const other = { username: 'kestrel', displayName: '' }
  t.ok(isBlocked('welcome to Vexworth', { username: 'x_1', displayName: 'Vexworth' }))
  t.notOk(isBlocked('welcome to Vexworth', other))
})

t.test(
  'seasons, months, weekdays, years, common names and mail hosts are blocked, with digits and separators',
  async (t) => {
    for (const password of [
      'summer2026summer',
      'Winter2025!Winter',
      'SommerHerbst2026',
      'December-24-2025',
      '31.Dezember.1999',
      'MondayTuesday2026!',
      'mercredi17juillet',
      'john.smith@gmail.com',
      'Jennifer_Rodriguez-1985',
      'J0hnSm1th1985!!!',
      'michael.davis84@hotmail.co.uk',
      'ilovejennifer2026',
    ])
      t.ok(isBlocked(password), password)
    for (const password of ['wendell thelma hopkins', 'summer velvet 2026 quokka'])
      t.notOk(isBlocked(password), `${password}: more than the pattern`)
  },
)

t.test('Cyrillic, Greek and accented look-alikes of Latin letters are compared as Latin letters', async (t) => {
  for (const password of [
    'раsswоrd1234567',
    'РАSSWОRD-РАSSWОRD',
    'ѕυmmеr2026ѕυmmеr',
    'јоhn.ѕmіth@gmаіl.соm',
    'mаytheforcebewithyou',
    'mäýthefòrcebewithyöu',
    'wеlсоmеtоrооkеrу',
    'ѕmіth lοvеѕ аnn 99',
  ])
    t.ok(isBlocked(password), password)
  t.ok(isBlocked('αnnsmιthαnnsmιth'))
})

t.test('10,000 random passwords of 16 characters pass', async (t) => {
  const random = randomStream('characters', 1)
  const alphabets = ['abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_.!@#$%']
  for (const alphabet of alphabets) {
    const passwords = Array.from({ length: 5_000 }, () =>
      Array.from({ length: 16 }, () => alphabet.charAt(Math.floor(random() * alphabet.length))).join(''),
    )
    t.same(
      passwords.filter((one) => isBlocked(one)),
      [],
    )
  }
})

t.test('1,000 random passphrases of five diceware words pass, with and without separators', async (t) => {
  const random = randomStream('diceware', 1)
  for (const separator of [' ', '', '-']) {
    const phrases = Array.from({ length: 1_000 }, () =>
      Array.from({ length: 5 }, () => diceware[Math.floor(random() * diceware.length)]).join(separator),
    )
    t.same(
      phrases.filter((phrase) => isBlocked(phrase)),
      [],
      JSON.stringify(separator),
    )
  }
})

t.test('good passwords of many words, symbols or scripts pass', async (t) => {
  for (const password of [
    'vexed 9 quartz; jumbo lynx whirl: pfg 42',
    'xq7-Vw2k-93bm-Lt0z',
    '🦉🌍🎲🧲🥨🛶🧵🪁🦔🍄🚲🧊🪐🎻🧭',
    'rookery 🦉🌍🎲🧲🥨🛶🧵🪁🦔',
    'дремучий ёж считает огурцы',
    'ο γάτος μου τρώει ψάρια',
    'żółta żaba gra na tubie',
  ])
    t.notOk(isBlocked(password), password)
})

t.test('passwords of 256 characters are compared', async (t) => {
  for (const part of ['a', '1!', 'abcde5', '4@8({[<369&#!1|/0$5+72%', 'é', 'the1'])
    t.type(isBlocked(part.repeat(256 / part.length)), 'boolean', part)
})

t.test('a filter has all its keys and few others', async (t) => {
  const keys = new Set(Array.from({ length: 5_000 }, (_, index) => `key ${index}`))
  const filter = bloomFilter(buildBloomFilter(keys))
  t.ok([...keys].every(filter.has))
  const others = Array.from({ length: 100_000 }, (_, index) => `other ${index}`)
  t.ok(others.filter(filter.has).length < 20)
})
