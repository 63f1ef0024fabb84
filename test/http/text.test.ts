import t from 'tap'
import { testServer } from '../helper.ts'
import { ask, cookieOf, field, isProblem, pointersOf } from './wire.ts'

t.test('text', async (t) => {
  const { port, db } = await testServer(t)
  const cookie = await cookieOf(port, 'ann')
  const json = { cookie, 'content-type': 'application/json' }
  const post = (text: string) => ask(port, 'POST', '/v1/posts', { headers: { cookie }, json: { text } })
  const profile = (change: object) => ask(port, 'PATCH', '/v1/account', { headers: { cookie }, json: change })

  t.test('a character is a code point, not a UTF-16 unit, a byte or a grapheme', async (t) => {
    for (const one of ['x', 'é', '€', '𝒳', '😀']) {
      t.equal((await post(one.repeat(500))).status, 201, `500 of ${one}`)
      isProblem(t, await post(one.repeat(501)), 'validation', `501 of ${one}`)
    }
    t.equal((await profile({ displayName: '😀'.repeat(50), bio: '😀'.repeat(300) })).status, 200)
    const long = await profile({ displayName: '😀'.repeat(51), bio: '😀'.repeat(301) })
    t.same(pointersOf(long).sort(), ['/body/bio', '/body/displayName'])
    const family = '👨‍👩‍👧' // five code points
    t.equal((await profile({ displayName: family.repeat(10) })).status, 200)
    isProblem(t, await profile({ displayName: family.repeat(11) }), 'validation')
  })

  t.test('it is normalised to NFC first, then measured, and kept so', async (t) => {
    const decomposed = 'o\u0302'
    const answer = await post(decomposed.repeat(500))
    t.equal(answer.status, 201, '1,000 code points that become 500')
    t.equal(field(answer.body, 'text'), 'ô'.repeat(500))
    t.equal(await db.collection('posts').countDocuments({ text: 'ô'.repeat(500) }), 1, 'in the database')
    // U+0958 is a composition exclusion: NFC makes two of it.
    isProblem(t, await post('\u0958'.repeat(300)), 'validation', '300 that become 600')
    const changed = await profile({ displayName: 'A\u030Angstro\u0308m', bio: '\u212B' })
    t.match(changed.body, { displayName: 'Ångström', bio: 'Å' })
    // NFC keeps what only looks alike: NFKC would make "fi" of this.
    t.equal(field((await post('ﬁ ² Ａ')).body, 'text'), 'ﬁ ² Ａ')
  })

  t.test('control characters but newline and tab are refused', async (t) => {
    const codes = [...Array(32).keys(), 0x7f, 0x80, 0x85, 0x9b, 0x9f].filter((code) => code !== 9 && code !== 10)
    for (const code of codes) {
      const text = `a${String.fromCharCode(code)}b`
      isProblem(t, await post(text), 'validation', `U+${code.toString(16)}`)
      if (code % 8 === 0) t.equal((await profile({ bio: text })).status, 400, `in a bio: U+${code.toString(16)}`)
    }
    t.equal(field((await post('a\tb\nc')).body, 'text'), 'a\tb\nc')
    t.equal((await post('a\u00a0b\u200d\u202e\ufeff\ue000\u{10ffff}\ufffe')).status, 201, 'all else passes')
  })

  t.test('unpaired surrogates are refused, pairs written as escapes are not', async (t) => {
    for (const lone of ['\\ud800', '\\udc00', '\\ude00\\ud83d', '\\ud83dx\\ude00', '\\ud83d\\ud83d\\ude00']) {
      const body = `{"text":"a${lone}b"}`
      const answer = await ask(port, 'POST', '/v1/posts', { headers: json, body })
      isProblem(t, answer, 'validation', lone)
      t.same(pointersOf(answer), ['/body/text'])
      const bio = await ask(port, 'PATCH', '/v1/account', { headers: json, body: `{"bio":"${lone}"}` })
      t.equal(bio.status, 400, `in a bio: ${lone}`)
    }
    const pair = await ask(port, 'POST', '/v1/posts', { headers: json, body: '{"text":"\\ud83d\\ude00"}' })
    t.equal(field(pair.body, 'text'), '😀')
  })

  t.test('a post is not empty and not only white space', async (t) => {
    for (const text of ['', ' ', '\n\t ', '\u00a0', '\u2003\u3000\u2028\u2029\u1680', '\ufeff']) {
      isProblem(t, await post(text), 'validation', encodeURIComponent(text))
    }
    t.equal(field((await post('  a ')).body, 'text'), '  a ', 'what stands around it is kept')
    t.match((await profile({ displayName: '', bio: ' ' })).body, { displayName: '', bio: ' ' }, 'a profile may be')
  })
})
