import fc from 'fast-check'
import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { raw } from '../http/wire.ts'
import { sharedKey } from './servers.ts'
import { carried, setCookies } from './set-cookies.ts'

type Body = { account?: { username: string }; viewer?: object | null; code?: string }

/** Values under our names that never name a session of ours. */
const strangers = [
  'x',
  '"quoted"',
  '',
  '%',
  'eyJhbGciOiJIUzI1NiJ9.e30.c2ln',
  'a.b.c',
  `${'A'.repeat(85)}Q`,
  '"',
  '\u00ff',
]

t.test('the access cookie as clients send it', async (t) => {
  const { url, port } = await testServer(t, sharedKey)
  const begin = async () => {
    const { username, client } = await signUp(url)
    const cookies = Object.fromEntries(
      client.jar.getCookiesSync(url).map(({ key, value }) => [key, { value, attributes: [] }]),
    )
    return { username, cookies, token: cookies.session?.value ?? '' }
  }
  const get = (path: string, cookie: string) => makeClient(url).get<Body>(path, { headers: { cookie } })
  const whoIs = async (cookie: string) => (await get('v1/session', cookie)).body.account?.username

  await t.test('in the form of RFC 2965, in quotes, with odd spaces, in several header lines', async (t) => {
    const { username, token } = await begin()
    const headers = [
      `$Version="1"; session="${token}";$Path="/";$Domain="127.0.0.1"`,
      `$Version="1"; other="x"; $Path="/a;b"; session="${token}"; $Path="/"; $Port="5000"`,
      `session="${token}"`,
      `;; session = ${token} ;`,
      `a=b;session=${token};c`,
      `a=b\r\nCookie: session=x\r\nCookie: session=${token}`,
      `session=${token}\r\ncookie: session=x; a="`,
    ]
    for (const header of headers) {
      const head = `GET /v1/session HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\nCookie: ${header}\r\n\r\n`
      const [answer] = await raw(port, head)
      t.match(answer, { status: 200, body: { account: { username } } }, header.replace(token, '…'))
    }
  })

  await t.test('what a browser keeps under another name is not read as ours', async (t) => {
    const { token } = await begin()
    const other = [`other=x,session=${token}`, `$Version=1,session=${token}`, `Session=${token}`, `=session=${token}`]
    for (const cookie of [...other, `\u00a0session=${token}`]) {
      t.equal((await get('v1/session', cookie)).statusCode, 401, cookie.replace(token, '…'))
    }
  })

  await t.test('a good one counts at any position, and a stranger’s alone is an invalid one', async (t) => {
    const { username, token } = await begin()
    const ended = await begin()
    await makeClient(url).delete('v1/session', { headers: carried(ended.cookies, 'session') })
    const others = [...strangers, ended.token, ended.cookies.refresh?.value].map((value) => `session=${value}`)
    for (let at = 0; at <= others.length; at += 1) {
      const cookie = others.toSpliced(at, 0, `session=${token}`).join('; ')
      const read = await get(`v1/accounts/${username}`, cookie)
      t.match(read.body, { viewer: {} }, `position ${at}`)
      t.equal(read.headers['rookery-session'], undefined)
      t.equal(await whoIs(cookie), username)
    }
    const read = await get(`v1/accounts/${username}`, others.join('; '))
    t.match(read, { statusCode: 200, headers: { 'rookery-session': 'invalid' }, body: { viewer: null } })
    t.match((await get('v1/session', others.join('; '))).body, { code: 'unauthenticated' })
  })

  await t.test('no junk around ours changes who one is', async () => {
    const { username, token } = await begin()
    const name = fc.constantFrom('session', ' session ', '$Version', 'refresh', 'device', 'a', '')
    const value = fc.oneof(
      fc.constantFrom(...strangers, `${token}x`, token.slice(1)),
      fc.string({ unit: fc.constantFrom(...'ab."\\,=% \t\u00e9'), maxLength: 30 }),
    )
    const junk = fc.array(fc.tuple(name, fc.constantFrom('=', ' = ', ''), value).map((parts) => parts.join('')))
    await fc.assert(
      fc.asyncProperty(junk, junk, fc.constantFrom(`session=${token}`, ` session="${token}"`), async (...parts) => {
        const [before, after, ours] = parts
        return (await whoIs([...before, ours, ...after].join(';'))) === username
      }),
      { numRuns: 50 },
    )
  })

  await t.test(
    'of two live sessions the later cookie counts: longer paths come first, and ours have the shortest',
    async (t) => {
      const [ann, bob] = [await begin(), await begin()]
      t.equal(await whoIs(`session=${ann.token}; session=${bob.token}`), bob.username)
      t.equal(await whoIs(`session=${bob.token}; session=${ann.token}`), ann.username)
    },
  )

  await t.test('of one session the newest generation counts, at either position', async (t) => {
    const { cookies, token } = await begin()
    const headers = carried(cookies, 'session', 'refresh')
    const confirmed = await makeClient(url).post('v1/session/confirm', { headers, json: { password } })
    const fresh = setCookies(confirmed.headers).session?.value
    for (const cookie of [`session=${token}; session=${fresh}`, `session=${fresh}; session=${token}`]) {
      t.equal((await makeClient(url).delete('v1/sessions', { headers: { cookie } })).statusCode, 204)
    }
  })

  await t.test(
    'a tosser’s cookies of longer paths push ours out neither by their number nor by their form',
    async (t) => {
      const { username, token } = await begin()
      const [head = '', payload = ''] = token.split('.')
      const forged = Array.from({ length: 30 }, (_, n) => `session=${head}.${payload}.${'A'.repeat(40)}${100 + n}`)
      t.equal(await whoIs([...forged, `session=${token}`].join('; ')), username)
    },
  )
})
