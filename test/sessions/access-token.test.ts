import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { setCookies } from './set-cookies.ts'

type Json = Record<string, unknown>

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part: string | undefined): Json => JSON.parse(Buffer.from(part ?? '', 'base64url').toString())

function sign(header: Json, payload: unknown, key: string, algorithm = 'sha256'): string {
  const signed = `${encode(header)}.${encode(payload)}`
  return `${signed}.${createHmac(algorithm, key).update(signed).digest('base64url')}`
}

t.test('the access token', async (t) => {
  const signKey = randomBytes(32).toString('hex')
  const { url } = await testServer(t, { JWT_SIGN_KEY: signKey })
  const { username, client } = await signUp(url)
  const own = (await client.get<{ id: string }>('v1/account')).body
  const login = await makeClient(url).post<{ session: { id: string } }>('v1/session', { json: { username, password } })
  const cookies = setCookies(login.headers)
  const token = cookies.session?.value ?? ''
  const [head, body, signature] = token.split('.')
  const header = decode(head)
  const payload = decode(body) as Json & { iat: number; exp: number } // asserted below
  const status = async (token: string) =>
    (await makeClient(url).get('v1/session', { headers: { cookie: `session=${token}` } })).statusCode

  t.test('a token holds the claims of the contract and nothing else', async (t) => {
    t.same(header, { alg: 'HS256', typ: 'rookery+jwt', kid: header.kid })
    t.match(header.kid, /^.+$/)
    const { id } = login.body.session
    const { iat, exp } = payload
    t.same(payload, { iss: 'rookery', aud: 'rookery', sub: own.id, sid: id, gen: 0, iat, exp })
    t.equal(exp - iat, 900)
    t.ok(Math.abs(iat - Date.now() / 1000) < 120)
    t.equal(
      sign(header, payload, signKey),
      token,
      'signed with JWT_SIGN_KEY, so the forgeries below are valid except for their change',
    )
    t.notOk(signKey.includes(String(header.kid)), 'kid reveals no part of the key')
  })

  t.test('a token with the right key but any other claim or header gets 401', async (t) => {
    t.equal(await status(token), 200)
    t.equal(await status(sign(header, { ...payload, exp: payload.exp - 1 }, signKey)), 200)
    t.equal(await status(sign(header, { ...payload, gen: undefined }, signKey)), 200, 'of an earlier version')
    const now = Math.floor(Date.now() / 1000)
    const changed: [string, Json, unknown][] = [
      ['expired', header, { ...payload, iat: now - 1000, exp: now - 100 }],
      ['another audience', header, { ...payload, aud: 'else' }],
      ['another issuer', header, { ...payload, iss: 'else' }],
      ['another type', { ...header, typ: 'JWT' }, payload],
      ['another key id', { ...header, kid: 'else' }, payload],
      ['no type', { ...header, typ: undefined }, payload],
      ['no key id', { ...header, kid: undefined }, payload],
      ['sub is not a string', header, { ...payload, sub: 7 }],
      ['sub is not an id', header, { ...payload, sub: 'zz' }],
      ['sid is not an id', header, { ...payload, sid: 'zz' }],
      ['not yet', header, { ...payload, nbf: now + 1000 }],
      ['a lifetime above 900 s', header, { ...payload, exp: payload.iat + 901 }],
      ['issued in the future', header, { ...payload, iat: now + 100, exp: now + 900 }],
      ['one audience of several', header, { ...payload, aud: ['rookery', 'else'] }],
      ['the audience in a list', header, { ...payload, aud: ['rookery'] }],
      ['gen is a string', header, { ...payload, gen: '0' }],
      ['gen is negative', header, { ...payload, gen: -1 }],
      ['gen is a fraction', header, { ...payload, gen: 0.5 }],
      ['gen is null', header, { ...payload, gen: null }],
      ['exp is a string', header, { ...payload, exp: String(payload.exp) }],
      ['iat is a string', header, { ...payload, iat: String(payload.iat) }],
      ['exp is null', header, { ...payload, exp: null }],
      ['personal data', header, { ...payload, username }],
      ['a kid that is a path', { ...header, kid: '../../../../dev/null' }, payload],
      ['a kid that is a query', { ...header, kid: "x' or '1'='1" }, payload],
      ['a kid that is an operator', { ...header, kid: { $ne: '' } }, payload],
      ['a kid in a list', { ...header, kid: [header.kid] }, payload],
      ['jku: a remote key set', { ...header, jku: 'https://evil.example/jwks.json' }, payload],
      [
        'jwk: an embedded key',
        { ...header, jwk: { kty: 'oct', k: Buffer.from(signKey).toString('base64url') } },
        payload,
      ],
      ['x5u: a remote certificate', { ...header, x5u: 'https://evil.example/cert.pem' }, payload],
      ['x5c: an embedded certificate', { ...header, x5c: ['MIIB'] }, payload],
      ['crit', { ...header, crit: ['exp'] }, payload],
      ['b64: an unencoded payload', { ...header, b64: false, crit: ['b64'] }, payload],
      ['a content type', { ...header, cty: 'JWT' }, payload],
      ...['iss', 'aud', 'sub', 'sid', 'iat', 'exp'].map((claim): [string, Json, unknown] => [
        `no ${claim}`,
        header,
        { ...payload, [claim]: undefined },
      ]),
    ]
    for (const [name, header, payload] of changed) {
      t.equal(await status(sign(header, payload, signKey)), 401, name)
    }
    t.equal(await status(sign({ ...header, alg: 'HS512' }, payload, signKey, 'sha512')), 401, 'HS512')
    t.equal(await status(sign({ ...header, alg: 'HS384' }, payload, signKey, 'sha384')), 401, 'HS384')
  })

  t.test('a token with a foreign key, no signature, or another key type gets 401', async (t) => {
    const foreign = randomBytes(32).toString('hex')
    t.equal(await status(sign(header, payload, foreign)), 401, 'a foreign key')
    t.equal(await status(sign(header, payload, '')), 401, 'an empty key')
    for (const alg of ['none', 'None', 'NONE', '']) {
      const unsigned = `${encode({ ...header, alg })}.${body}`
      for (const end of ['', '.', `.${signature}`]) t.equal(await status(`${unsigned}${end}`), 401, `alg ${alg}`)
    }
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    t.equal(await status(sign({ ...header, alg: 'RS256' }, payload, pem)), 401, 'RS256 confusion with a public key')
    const other = await signUp(url)
    const { id } = (await other.client.get<{ id: string }>('v1/account')).body
    t.equal(await status(`${head}.${encode({ ...payload, sub: id })}.${signature}`), 401, 'the sub of another account')
    t.equal(await status(sign(header, { ...payload, sub: id }, signKey)), 401, 'a session of another account')
    t.equal(await status(`${head}.${body}.${signature?.slice(0, -2)}`), 401, 'a truncated signature')
    for (const text of ['', '.', '..', 'x.y.z', `${token}.`, `${token}x`, '%00', '"', ` ${head}`]) {
      t.equal(await status(text), 401, JSON.stringify(text.slice(0, 20)))
    }
    t.equal(await status(cookies.refresh?.value ?? ''), 401, 'a refresh token')
    t.equal(await status(cookies.device?.value ?? ''), 401, 'a device token')
  })

  t.test('an access token outside its cookie gets 401', async (t) => {
    const bare = makeClient(url)
    for (const headers of [
      { authorization: `Bearer ${token}` },
      { authorization: `JWT ${token}` },
      { 'x-access-token': token },
      { cookie: `Session=${token}` },
      { cookie: `__Host-session=${token}` },
      { cookie: `refresh=${token}` },
    ]) {
      t.equal((await bare.get('v1/session', { headers })).statusCode, 401, Object.entries(headers).join().slice(0, 40))
    }
    t.equal((await bare.get(`v1/account?session=${token}`)).statusCode, 401)
    const read = await bare.get('v1/posts', { headers: { authorization: `Bearer ${token}` } })
    t.equal(read.headers['rookery-session'], undefined, 'a public read ignores it')
  })

  t.test('a token that was accepted before gets 401 once it expires: the cache checks exp', async (t) => {
    const exp = Math.floor(Date.now() / 1000) + 4
    const short = sign(header, { ...payload, exp }, signKey)
    t.equal(await status(short), 200)
    while (Date.now() <= exp * 1000) await setTimeout(100)
    t.equal(await status(short), 401)
    t.equal(await status(token), 200)
  })
})

t.test('cookies that are no token of ours cost next to nothing', async (t) => {
  const { app, url } = await testServer(t)
  const { client } = await signUp(url)
  const token = client.jar.getCookiesSync(url).find(({ key }) => key === 'session')?.value ?? ''
  const [head, body] = token.split('.')
  let decoded = 0
  const stackTraceLimits = new Set<number>()
  const { decode } = app.jwt
  app.jwt.decode = <Decoded extends object | string>(...args: Parameters<typeof decode>) => {
    decoded += 1
    stackTraceLimits.add(Error.stackTraceLimit)
    return decode<Decoded>(...args)
  }
  /** @returns how many of the values that fit into a header the server has decoded */
  const decodedOf = async (value: (n: number) => string) => {
    decoded = 0
    const many = Array.from({ length: 900 }, (_, n) => `session=${value(n)}`).join(';')
    const cookie = many.slice(0, many.lastIndexOf(';', 15_000))
    t.equal((await makeClient(url).get('v1/session', { headers: { cookie } })).statusCode, 401)
    return decoded
  }
  for (const value of ['', 'e30.e30.', 'eyJ.eyJ.', `${head}.e30.`, `e30.${body}.`, `${head}.${body}`]) {
    t.equal(await decodedOf((n) => `${value}${n}`), 0, value.replace(token, '…'))
  }
  t.equal(
    await decodedOf((n) => `${encode({ a: 10_000 + n })}${head}.${body}.${'x'.repeat(43)}`),
    16,
    'with the form of ours',
  )
  const forged = (n: number) => `${head}.${body}.${'A'.repeat(40)}${100 + n}`
  t.equal(await decodedOf(forged), 16, 'with all but the signature of ours: each once')
  const members = encode(Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`m${n}`, 0])))
  t.equal(await decodedOf((n) => `${head}.${members}.${'A'.repeat(40)}${100 + n}`), 0, 'a payload longer than ours')
  t.equal(await decodedOf((n) => `${members}.${body}.${'A'.repeat(40)}${100 + n}`), 0, 'a header longer than ours')
  t.strictSame([...stackTraceLimits], [0], 'none has the stacks of its errors, which would take as long as the rest')

  let verified = 0
  const { verify } = app.jwt
  // Of its overloads, the one that access-token.ts calls.
  app.jwt.verify = ((...args: Parameters<typeof verify>) => {
    verified += 1
    return verify(...args)
  }) as typeof verify
  const cookie = [...Array.from({ length: 30 }, (_, n) => forged(100 + n)), token].map((value) => `session=${value}`)
  const stream = await fetch(`${url}/v1/stream`, { headers: { cookie: cookie.join('; ') } })
  t.equal(stream.status, 200)
  await stream.body?.cancel()
  t.ok(verified <= 16, 'a stream verifies as few as other requests, once more')

  verified = 0
  const others = Array.from({ length: 30 }, (_, n) => `session=${forged(400 + n)}`).join('; ')
  t.equal((await makeClient(url).delete('v1/session', { headers: { cookie: others } })).statusCode, 204)
  t.equal(verified, 8, 'a logout refuses each wrong signature once, although two steps of it ask')
})
