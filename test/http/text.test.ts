import t from 'tap'
import { newPassword, PresentedPassword } from '../../src/credentials/policy.ts'
import { characterCount, hasMoreThan, isLongerThan, name, text } from '../../src/http/text.ts'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf, expectProblem, field, pointersOf } from './wire.ts'

t.test('texts that people write', async (t) => {
  const { port, db } = await testServer(t)
  const cookie = await cookieOf(port, 'ann')
  const json = { cookie, 'content-type': 'application/json' }
  const post = (text: string) => ask(port, 'POST', '/v1/posts', { headers: { cookie }, json: { text } })
  const profile = (change: object) => ask(port, 'PATCH', '/v1/account', { headers: { cookie }, json: change })

  t.test('a character is a code point, not a UTF-16 unit, a byte or a grapheme', async (t) => {
    for (const character of ['x', 'é', '€', '𝒳', '😀']) {
      t.equal((await post(character.repeat(500))).status, 201, `500 of ${character}`)
      expectProblem(t, await post(character.repeat(501)), 'validation', `501 of ${character}`)
    }
    t.equal((await profile({ displayName: '😀'.repeat(50), bio: '😀'.repeat(300) })).status, 200)
    const long = await profile({ displayName: '😀'.repeat(51), bio: '😀'.repeat(301) })
    t.same(pointersOf(long).sort(), ['/body/bio', '/body/displayName'])
    const family = '👨‍👩‍👧' // five code points
    t.equal((await profile({ displayName: family.repeat(10) })).status, 200)
    expectProblem(t, await profile({ displayName: family.repeat(11) }), 'validation')
  })

  t.test('text is normalised to NFC, then measured, and stored in NFC', async (t) => {
    const decomposed = 'o\u0302'
    const answer = await post(decomposed.repeat(500))
    t.equal(answer.status, 201, '1,000 code points become 500')
    t.equal(field(answer.body, 'text'), 'ô'.repeat(500))
    t.equal(await db.collection('posts').countDocuments({ text: 'ô'.repeat(500) }), 1, 'stored in NFC')
    // U+0958 is a composition exclusion: NFC decomposes it into two.
    expectProblem(t, await post('\u0958'.repeat(300)), 'validation', '300 code points become 600')
    const changed = await profile({ displayName: 'A\u030Angstro\u0308m', bio: '\u212B' })
    t.match(changed.body, { displayName: 'Ångström', bio: 'Å' })
    // NFC keeps compatibility characters: NFKC would make "fi" of the ligature.
    t.equal(field((await post('ﬁ ² Ａ')).body, 'text'), 'ﬁ ² Ａ')
  })

  t.test('control characters other than newline and tab are refused', async (t) => {
    const codes = [...Array(32).keys(), 0x7f, 0x80, 0x85, 0x9b, 0x9f].filter((code) => code !== 9 && code !== 10)
    for (const code of codes) {
      const text = `a${String.fromCharCode(code)}b`
      expectProblem(t, await post(text), 'validation', `U+${code.toString(16)}`)
      if (code % 8 === 0) t.equal((await profile({ bio: text })).status, 400, `in a bio: U+${code.toString(16)}`)
    }
    t.equal(field((await post('a\tb\nc')).body, 'text'), 'a\tb\nc')
    t.equal(
      (await post('a\u00a0b\u200d\u202e\ufeff\ue000\u{10ffff}\ufffe')).status,
      201,
      'all other characters are accepted',
    )
  })

  t.test('unpaired surrogates are refused, and escaped pairs are accepted', async (t) => {
    for (const lone of ['\\ud800', '\\udc00', '\\ude00\\ud83d', '\\ud83dx\\ude00', '\\ud83d\\ud83d\\ude00']) {
      const body = `{"text":"a${lone}b"}`
      const answer = await ask(port, 'POST', '/v1/posts', { headers: json, body })
      expectProblem(t, answer, 'validation', lone)
      t.same(pointersOf(answer), ['/body/text'])
      const bio = await ask(port, 'PATCH', '/v1/account', { headers: json, body: `{"bio":"${lone}"}` })
      t.equal(bio.status, 400, `in a bio: ${lone}`)
    }
    const pair = await ask(port, 'POST', '/v1/posts', { headers: json, body: '{"text":"\\ud83d\\ude00"}' })
    t.equal(field(pair.body, 'text'), '😀')
  })

  const empty = ['', ' ', '\n\t ', '\u00a0', '\u2003\u3000\u2028\u2029\u1680', '\ufeff']
  const formats = ['\u200b\u200d\u2060', '\u00ad', '\u202e\u202c', '\u{e0041}\u{e007f}', '\u180e', '\u061c']
  const fillers = [
    '\u3164',
    '\u115f\u1160',
    '\uffa0',
    '\u2800\u2800',
    '\u034f',
    '\u17b4',
    '\u{1d159}',
    '\u{16fe4}',
    '\u{13441}\u{13442}',
  ]
  const marks = ['\u0301', '\ufe0f', '\u20e3', '\u093e', '\u{e0100}', '\uffff', ' \u0301\u3164\u200d ']
  const invisible = [...empty, ...formats, ...fillers, ...marks]

  t.test('text and a displayName need a visible character; a bio does not', async (t) => {
    for (const value of invisible) {
      t.notOk(text({ min: 1, max: 500 }).safeParse(value).success, encodeURIComponent(value))
      t.notOk(name({ max: 50 }).safeParse(value).success, encodeURIComponent(value))
    }
    for (const value of ['', ' ', '\u3164\u115f', '\u200b\u0301']) {
      expectProblem(t, await post(value), 'validation', encodeURIComponent(value))
      const answer = await profile({ displayName: value })
      expectProblem(t, answer, 'validation', encodeURIComponent(value))
      t.same(pointersOf(answer), ['/body/displayName'])
    }
    t.equal(field((await post('  a ')).body, 'text'), '  a ', 'surrounding white space is kept')
    t.match((await profile({ bio: '' })).body, { bio: '' })
    t.match((await profile({ bio: ' \u3164' })).body, { bio: ' \u3164' })
    const signUp = { username: 'nameless', password, displayName: '' }
    t.same(pointersOf(await ask(port, 'POST', '/v1/accounts', { json: signUp })), ['/body/displayName'])
  })

  t.test('whatever is visible suffices, in any script', async (t) => {
    const emoji = ['👨‍👩‍👧', '❤️', '#️⃣', '🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}', '🇨🇭', '🏳️‍🌈', '👍🏽']
    const scripts = [
      'a',
      '.',
      'ａ',
      '漢',
      'نادر',
      'שלום',
      'नमस्ते',
      'สวัสดี',
      '한',
      'ᄒ',
      '\u3164a',
      'می\u200cخواهم',
      '\ue000',
      '⠁',
    ]
    for (const value of [...emoji, ...scripts]) {
      t.equal(text({ min: 1, max: 500 }).safeParse(value).data, value, value)
      t.equal(name({ max: 50 }).safeParse(value).data, value, value)
    }
    t.match((await profile({ displayName: emoji.join('') })).body, { displayName: emoji.join('') })
  })

  t.test('a displayName has one line, and cannot reorder the text around it', async (t) => {
    const lines = ['a\nb', 'a\tb', 'a\r\nb', 'a\u2028b', 'a\u2029b', 'a\u0085b', 'a\n']
    const bidirectional = [
      '\u202aa',
      'a\u202b',
      'a\u202cb',
      'a\u202db',
      'a\u202eb',
      '\u2066a',
      'a\u2067',
      '\u2068a\u2069',
    ]
    for (const value of [...lines, ...bidirectional])
      t.notOk(name({ max: 50 }).safeParse(value).success, encodeURIComponent(value))
    for (const displayName of ['a\r\nb', 'a\tb', 'a\u202eb', '\u2068a\u2069']) {
      const answer = await profile({ displayName })
      expectProblem(t, answer, 'validation', encodeURIComponent(displayName))
      t.same(pointersOf(answer), ['/body/displayName'])
      const json = { username: 'reorders', password, displayName }
      t.same(pointersOf(await ask(port, 'POST', '/v1/accounts', { json })), ['/body/displayName'])
    }
    const marked = 'a\u200e \u200fשלום\u200e'
    t.match((await profile({ displayName: marked })).body, { displayName: marked }, 'direction marks stay')
    t.match((await profile({ bio: 'a\u202eb\n\tc' })).body, { bio: 'a\u202eb\n\tc' }, 'a bio may have all of it')
  })

  t.test('CRLF is taken as LF, then measured; a CR alone is refused', async (t) => {
    t.match((await post('a\r\nb\r\n\r\nc')).body, { text: 'a\nb\n\nc' })
    t.equal((await post(`a${'\r\n'.repeat(499)}`)).status, 201, '500 characters')
    expectProblem(t, await post(`a${'\r\n'.repeat(500)}`), 'validation', '501 characters')
    t.match((await profile({ bio: 'a\r\nb' })).body, { bio: 'a\nb' })
    t.equal((await profile({ bio: '\r\n'.repeat(300) })).status, 200)
    for (const text of ['a\rb', 'a\n\rb', 'a\r', '\r\r\n']) expectProblem(t, await post(text), 'validation')
    const { body } = await post('a\nb')
    t.match(
      (await ask(port, 'PATCH', `/v1/posts/${field(body, 'id')}`, { headers: { cookie }, json: { text: 'c\r\nd' } }))
        .body,
      { text: 'c\nd' },
    )
    t.equal(await db.collection('posts').countDocuments({ text: /\r/ }), 0, 'none is stored')
  })

  t.test('a repeat under an idempotency key may have LF where the first had CRLF', async (t) => {
    const send = (text: string) =>
      ask(port, 'POST', '/v1/posts', { headers: { cookie, 'idempotency-key': 'lines' }, json: { text } })
    const first = await send('a\r\nb')
    t.equal(first.status, 201)
    t.match(await send('a\nb'), { status: 201, body: { id: field(first.body, 'id') } })
  })
})

t.test('text that is too long is refused without normalising it, which takes quadratic time', async (t) => {
  const marks = `a${'\u0301'.repeat(3_950)}${'\u0316'.repeat(3_950)}`
  const schemas = [text({ min: 1, max: 500 }), name({ max: 50 }), PresentedPassword, newPassword(15)]
  const { normalize } = String.prototype
  let normalised = 0
  String.prototype.normalize = function (...form) {
    normalised += 1
    return Reflect.apply(normalize, this, form)
  }
  const results = schemas.map((schema) => schema.safeParse(marks))
  String.prototype.normalize = normalize
  for (const { error } of results) t.match(error?.issues[0]?.message, / characters\.$/)
  t.equal(normalised, 0)
  t.ok(text({ max: 500 }).safeParse(`a${'\u0301'.repeat(499)}`).success, 'many marks are a text like another')
})

t.test('only text that exceeds the limit after NFC and NFKC exceeds the bound before them', async (t) => {
  const parts = [
    'x',
    'é',
    '\u1f82',
    '\u1f82'.normalize('NFD'),
    '\u1100\u1161\u11a8',
    'ﷺ',
    '😀',
    '\u0bc6\u0bbe',
    'o\u0302'.repeat(40),
  ]
  for (const max of [10, 50, 500]) {
    for (let round = 0; round < 300; round += 1) {
      let built = ''
      const length = Math.ceil(Math.random() * 5 * max)
      while (built.length < length) built += parts[Math.floor(Math.random() * parts.length)]
      const shortest = Math.min(...['NFC', 'NFKC'].map((form) => characterCount(built.normalize(form))))
      if (isLongerThan(max, built)) t.ok(shortest > max, `${max}: ${JSON.stringify(built)}`)
    }
  }
  t.notOk(isLongerThan(2, '\u1f82'.normalize('NFD').repeat(2)))
  t.ok(isLongerThan(2, 'x'.repeat(9)))
})

t.test('hasMoreThan counts code points, also where most have two UTF-16 code units', async (t) => {
  for (const letter of ['a', '\u{1F426}', '\u0301']) {
    t.notOk(hasMoreThan(256, letter.repeat(256)), letter)
    t.ok(hasMoreThan(256, letter.repeat(257)), letter)
    t.ok(hasMoreThan(256, letter.repeat(16_000)), letter)
  }
})
