import t from 'tap'
import { testServer } from '../helper.ts'
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

  t.test('a post must not be empty or white space only; a profile may be', async (t) => {
    for (const text of ['', ' ', '\n\t ', '\u00a0', '\u2003\u3000\u2028\u2029\u1680', '\ufeff']) {
      expectProblem(t, await post(text), 'validation', encodeURIComponent(text))
    }
    t.equal(field((await post('  a ')).body, 'text'), '  a ', 'surrounding white space is kept')
    t.match(
      (await profile({ displayName: '', bio: ' ' })).body,
      { displayName: '', bio: ' ' },
      'a profile may be empty',
    )
  })
})
