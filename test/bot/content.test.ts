import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import * as common from '@zxcvbn-ts/language-common'
import * as english from '@zxcvbn-ts/language-en'
import t from 'tap'
import { identity, newRun, numberOf, postText, privateIdentity } from '../../bot/content.ts'
import { below, fingerprint, pick, randomStream } from '../../bot/random.ts'
import { findBlocked } from '../../src/credentials/blocklist/blocklist.ts'

t.test('a random stream depends on its parts only', async (t) => {
  const numbers = (...parts: (string | number)[]) => {
    const random = randomStream(...parts)
    return Array.from({ length: 5 }, () => random())
  }
  t.strictSame(numbers('a', 1), numbers('a', 1))
  t.notSame(numbers('a', 1), numbers('a', 2))
  t.notSame(numbers('a', 11), numbers('a1', 1))
  // A recorded value: a change of the stream would break every seed in a bug report.
  t.equal(randomStream('recorded')().toFixed(8), '0.34912928')
  t.match(fingerprint(10, 'x', 1), /^[0-9a-z]{10}$/)
  t.throws(() => pick(randomStream('x'), []), RangeError)
})

t.test('a random stream is uniform', async (t) => {
  const random = randomStream('even')
  const seen = new Array<number>(10).fill(0)
  for (let i = 0; i < 10_000; i += 1) {
    const place = below(random, 10)
    seen[place] = (seen[place] ?? 0) + 1
  }
  t.ok(
    seen.every((times) => times > 850 && times < 1150),
    seen.join(' '),
  )
})

t.test('identities satisfy the sign-up rules for usernames, passwords and profiles', async (t) => {
  const zxcvbn = new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
  })
  const [run, other] = [newRun(), newRun()]
  const seeded = Array.from({ length: 60 }, (_, i) => identity(42, i, run))
  const robots = [...seeded, ...Array.from({ length: 60 }, (_, i) => privateIdentity(42, i, other))]
  t.strictSame(robots[7], identity(42, 7, run))
  t.equal(new Set(robots.map(({ username }) => username)).size, 120)
  t.ok(robots.every(({ bio }) => bio.startsWith('I am a robot. ')))
  t.not(run, other)
  for (const { username, password, displayName, bio } of robots) {
    if (!/^\w{3,30}$/.test(username)) t.fail(username)
    if (password.length < 15 || password.includes(username)) t.fail('a password that breaks the rules')
    if (findBlocked(password, { username, displayName }) !== undefined) t.fail('a blocked password')
    if (zxcvbn.check(password).guesses < 1e10) t.fail('a weak password')
    if ([...displayName].length > 50 || [...bio].length > 300) t.fail(displayName)
  }
})

t.test('without a given seed, no password follows from the seed, and usernames always hold the run', async (t) => {
  const [one, other] = [privateIdentity(42, 7, 'a'), privateIdentity(42, 7, 'b')]
  const { username, password, ...rest } = identity(42, 7, 'c')
  t.match([one, other], [rest, rest], 'all else does')
  t.equal(new Set([username, one.username, other.username]).size, 3)
  t.equal(new Set([password, one.password, other.password]).size, 3)
})

t.test('texts satisfy the post rules: 1 to 500 characters, NFC, no control characters, trimmed', async (t) => {
  const texts = Array.from({ length: 2_000 }, (_, i) => postText(5, i % 40, Math.floor(i / 40)))
  t.equal(postText(5, 3, 2), texts[83])
  t.equal(numberOf(texts[83] ?? ''), 2, 'a text begins with its number')
  t.not(postText(5, 3, 2, 1), texts[83], 'another version')
  for (const script of ['Arabic', 'Hebrew', 'Han', 'Cyrillic', 'Greek', 'Devanagari', 'Latin'])
    t.ok(
      texts.some((text) => new RegExp(`\\p{Script=${script}}`, 'u').test(text)),
      script,
    )
  t.ok(new Set(texts).size > 1_900)
  const lengths = texts.map((text) => [...text].length)
  t.equal(Math.max(...lengths), 500)
  t.ok(Math.min(...lengths) > 0)
  t.equal(lengths.filter((length) => length === 500).length, 200)
  for (const text of texts) {
    if (text !== text.normalize('NFC') || !text.isWellFormed() || /[^\P{Cc}\n\t]/u.test(text))
      t.fail(JSON.stringify(text))
    if (text !== text.trim()) t.fail(JSON.stringify(text))
  }
  t.ok(
    texts.some((text) => text.length > 500),
    'an astral character counts once',
  )
})
