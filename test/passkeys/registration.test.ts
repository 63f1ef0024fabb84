import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { type Creation, type Lies, softwareAuthenticator } from './authenticator.ts'
import { encodeCbor } from './cbor.ts'
import { addPasskey, confirm, eventsOf, listPasskeys, logInBy, origin, passkeyEnv, passkeyUser } from './ceremonies.ts'

const gone = '019ab0f2-7d31-7c44-9a5e-2f6b8c1d0e37'

t.test('an account’s passkeys', async (t) => {
  const { url, db } = await testServer(t, passkeyEnv)

  t.test('options ask for a discoverable passkey with user verification, and say nothing personal', async (t) => {
    const { client, username, authenticator } = await passkeyUser(url)
    const { statusCode, body, headers } = await client.post<Creation>('v1/passkeys/options')
    t.equal(statusCode, 200)
    const account = (await client.get<{ id: string }>('v1/account')).body.id
    t.match(body, {
      challenge: /^[\w-]{43}$/,
      rp: { id: 'localhost', name: 'Rookery' },
      user: {
        id: Buffer.from(account.replaceAll('-', ''), 'hex').toString('base64url'),
        name: username,
        displayName: username,
      },
      timeout: 300_000,
      attestation: 'none',
      excludeCredentials: [{ id: authenticator.credentials[0]?.id.toString('base64url'), transports: ['internal'] }],
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    })
    t.same(setCookies(headers).passkey?.attributes, ['HttpOnly', 'Max-Age=300', 'Path=/', 'SameSite=Strict'])
  })

  t.test('a passkey is added, listed, renamed and removed', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    const authenticator = softwareAuthenticator(origin)
    const added = await addPasskey(client, authenticator, { backedUp: true }, 'Robin’s phone')
    t.equal(added.statusCode, 201)
    t.equal(added.headers.location, `/v1/passkeys/${added.body.id}`)
    t.match(added.body, { name: 'Robin’s phone', createdAt: /Z$/, lastUsedAt: null, backedUp: true })
    t.same(Object.keys(added.body).sort(), ['backedUp', 'createdAt', 'id', 'lastUsedAt', 'name'])
    t.match(setCookies(added.headers).passkey, { value: '', attributes: ['HttpOnly', 'Max-Age=0'] }, 'it is used')
    const second = await addPasskey(client, authenticator)
    t.match(second.body, { name: 'Passkey', backedUp: false })

    t.same(await listPasskeys(client), { items: [second.body, added.body], nextCursor: null }, 'newest first')
    const first = await listPasskeys(client, '?limit=1')
    t.same(first.items, [second.body])
    t.same((await listPasskeys(client, `?limit=1&cursor=${first.nextCursor}`)).items, [added.body])

    const path = `v1/passkeys/${added.body.id}`
    const renamed = await client.patch(path, { json: { name: 'Old phone' } })
    t.match(renamed, { statusCode: 200, body: { ...added.body, name: 'Old phone' } })
    for (const name of ['', ' ', 'two\nlines', '\u202eleft', 'x'.repeat(51), 5])
      t.equal((await client.patch(path, { json: { name } })).statusCode, 400, JSON.stringify(name))
    t.equal((await client.delete(path)).statusCode, 204)
    t.equal((await client.delete(path)).statusCode, 404)
    t.equal((await client.patch(path, { json: { name: 'x' } })).statusCode, 404)
    t.same((await listPasskeys(client)).items, [second.body])
    t.same((await eventsOf(client)).slice(0, 3), ['passkey-removed', 'passkey-added', 'session-confirmed'])
  })

  t.test('adding and removing need a confirmation, and another account’s passkey does not exist', async (t) => {
    const { client, username, passkey } = await passkeyUser(url)
    const unconfirmed = makeClient(url)
    await unconfirmed.post('v1/session', { json: { username, password } })
    for (const [method, path] of [
      ['post', 'v1/passkeys/options'],
      ['delete', `v1/passkeys/${passkey.id}`],
    ] as const) {
      const refused = await unconfirmed[method](path)
      t.match(refused, { statusCode: 403, body: { code: 'confirmation-required' } }, path)
      t.equal((await makeClient(url)[method](path)).statusCode, 401, path)
    }
    const answered = softwareAuthenticator(origin).create((await client.post<Creation>('v1/passkeys/options')).body)
    const refused = await unconfirmed.post('v1/passkeys', { json: { response: answered } })
    t.match(refused, { statusCode: 403, body: { code: 'confirmation-required' } })

    const stranger = await passkeyUser(url)
    for (const id of [passkey.id, gone]) {
      t.equal((await stranger.client.delete(`v1/passkeys/${id}`)).statusCode, 404)
      t.equal((await stranger.client.patch(`v1/passkeys/${id}`, { json: { name: 'Mine' } })).statusCode, 404)
    }
    t.same((await listPasskeys(client)).items, [passkey])
  })

  t.test('the 21st passkey is refused, also when two are added at once', async (t) => {
    const { client } = await passkeyUser(url)
    const authenticator = softwareAuthenticator(origin)
    for (let n = 2; n < 20; n += 1) t.equal((await addPasskey(client, authenticator)).statusCode, 201)
    const tryOne = () => addPasskey(client, softwareAuthenticator(origin)).catch(() => ({ statusCode: 403 }))
    // On a busy machine one may have been added before the other asks for its options, which are refused then.
    const both = await Promise.all([tryOne(), tryOne()])
    t.same(both.map(({ statusCode }) => statusCode).sort(), [201, 403])
    const late = await client.post('v1/passkeys/options')
    t.match(late, { statusCode: 403, body: { code: 'forbidden', detail: /at most 20/ } })
    t.equal((await listPasskeys(client, '?limit=100')).items.length, 20)
  })

  t.test('a response that does not answer the challenge with a new passkey is 400 and adds nothing', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    const lies: Record<string, Lies> = {
      'another origin': { origin: 'https://evil.example' },
      'another port': { origin: 'http://localhost:5001' },
      'a frame of another site': { crossOrigin: true },
      'another relying party': { rpId: 'evil.example' },
      'another ceremony': { type: 'webauthn.get' },
      'another challenge': { challenge: 'x'.repeat(43) },
      'no user verification': { userVerified: false },
      'no user presence': { userPresent: false },
      'a credential id that is too long': { credentialIdBytes: 1_024 },
      'a key that is too long': { publicKeyBytes: 1_025 },
      'a key that is slow to verify with': { publicKeyBytes: 384, exponent: Buffer.alloc(384, 127) },
      'a key on another curve': { curve: 'P-521' },
      'a key with an exponent of its own': { publicKeyBytes: 384, exponent: Buffer.from([1, 0, 3]) },
    }
    for (const [name, lie] of Object.entries(lies)) {
      const refused = await addPasskey(client, softwareAuthenticator(origin), lie)
      t.match(refused, { statusCode: 400, body: { errors: [{ pointer: '/body/response' }] } }, name)
    }
    const { body } = await client.post<Creation>('v1/passkeys/options')
    const response = { ...softwareAuthenticator(origin).create(body), id: 'AAAA' }
    t.equal((await client.post('v1/passkeys', { json: { response } })).statusCode, 400, 'another credential id')
    t.same((await listPasskeys(client)).items, [])
    t.equal((await addPasskey(client, softwareAuthenticator(origin))).statusCode, 201, 'and without a lie')
    t.equal((await addPasskey(client, softwareAuthenticator(origin), { publicKeyBytes: 256 })).statusCode, 201, 'RSA')
  })

  t.test('a challenge serves one response, of the session that asked for it', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    const { body } = await client.post<Creation>('v1/passkeys/options')
    const cookie = await client.jar.getCookieString(url)
    const headers = { cookie }
    const add = (response: object, sender = makeClient(url)) =>
      sender.post('v1/passkeys', { headers, json: { response } })
    const other = await signUp(url)
    await confirm(other.client)
    const foreign = { cookie: `${await other.client.jar.getCookieString(url)}; ${cookie.match(/passkey=[^;]+/)?.[0]}` }
    const response = softwareAuthenticator(origin).create(body)
    const stolen = await makeClient(url).post('v1/passkeys', { headers: foreign, json: { response } })
    t.equal(stolen.statusCode, 400, 'not in another account’s session')
    t.equal((await add(response)).statusCode, 201)
    t.equal((await add(response)).statusCode, 400, 'not again')
    t.equal((await add(softwareAuthenticator(origin).create(body))).statusCode, 400, 'nor with another passkey')
    t.equal((await listPasskeys(client)).items.length, 1)
    t.equal((await listPasskeys(other.client)).items.length, 0)
  })

  t.test('extensions that nothing has asked for are ignored, and long ones are refused', async (t) => {
    const { client, authenticator } = await passkeyUser(url)
    // As security keys send it (CTAP 2.1, 12.1).
    const short = encodeCbor(new Map([['credProtect', 2]]))
    const long = encodeCbor(new Map(Array.from({ length: 400 }, (_, n) => [n, n])))
    t.equal((await addPasskey(client, softwareAuthenticator(origin), { extensions: short })).statusCode, 201)
    const refused = await addPasskey(client, softwareAuthenticator(origin), { extensions: long })
    t.match(refused, { statusCode: 400, body: { errors: [{ pointer: '/body/response' }] } })
    t.equal((await logInBy(makeClient(url), authenticator, { extensions: short })).statusCode, 200)
    const tooLong = await logInBy(makeClient(url), authenticator, { extensions: long })
    const pointer = '/body/response/response/authenticatorData'
    t.match(tooLong, { statusCode: 400, body: { errors: [{ pointer }] } })
  })

  t.test('an attestation is neither verified nor kept', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    const added = await addPasskey(client, softwareAuthenticator(origin), { attestation: 'packed' })
    t.equal(added.statusCode, 201)
  })

  t.test('every malformed member is 400 at its pointer', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    const response = softwareAuthenticator(origin).create((await client.post<Creation>('v1/passkeys/options')).body)
    const post = (json: object) => client.post<{ errors: { pointer: string }[] }>('v1/passkeys', { json })
    const wrong: [string, object][] = [
      ['/body/response', {}],
      ['/body/response', { response: null }],
      ['/body/response', { response: 'x' }],
      ['/body/more', { response, more: 1 }],
      ['/body/name', { response, name: '' }],
      ...['', 'a b', 'a=', 'x'.repeat(1_365), 5, null].map((id): [string, object] => [
        '/body/response/id',
        { response: { ...response, id } },
      ]),
      ['/body/response/type', { response: { ...response, type: 'password' } }],
      ['/body/response/response', { response: { ...response, response: [] } }],
      ...(['clientDataJSON', 'attestationObject'] as const).flatMap((member) =>
        ['', '+', {}, null].map((value): [string, object] => [
          `/body/response/response/${member}`,
          { response: { ...response, response: { ...response.response, [member]: value } } },
        ]),
      ),
      [
        '/body/response/response/transports/0',
        { response: { ...response, response: { ...response.response, transports: ['NFC'] } } },
      ],
      [
        '/body/response/response/transports',
        { response: { ...response, response: { ...response.response, transports: Array(11).fill('usb') } } },
      ],
    ]
    for (const [pointer, json] of wrong) {
      const { statusCode, body } = await post(json)
      t.equal(statusCode, 400, JSON.stringify(json))
      t.equal(body.errors[0]?.pointer, pointer, JSON.stringify(json))
    }
    t.equal((await post({ response })).statusCode, 201, 'none of them used the challenge up')
  })

  t.test('bytes that are no attestation are refused like any wrong response', async (t) => {
    const { client } = await signUp(url)
    await confirm(client)
    const nested = Buffer.alloc(9_000, 0x81)
    for (const bytes of [
      Buffer.from('{}'),
      Buffer.from([0xa0]),
      Buffer.from([0xff]),
      nested,
      Buffer.alloc(500, 0xa3),
    ]) {
      const { body } = await client.post<Creation>('v1/passkeys/options')
      const response = softwareAuthenticator(origin).create(body)
      const broken = { ...response.response, attestationObject: bytes.toString('base64url') }
      const { statusCode } = await client.post('v1/passkeys', { json: { response: { ...response, response: broken } } })
      t.equal(statusCode, 400, bytes.toString('hex', 0, 4))
    }
  })

  t.test('the export has the passkeys, and the deletion deletes them', async (t) => {
    const { client, passkey } = await passkeyUser(url)
    const { body } = await client.get('v1/account/export', { responseType: 'text' })
    const exported = body.split('\n').filter((line) => line.includes('"passkey"'))
    t.match(
      exported.map((line) => JSON.parse(line)),
      [{ type: 'passkey', id: passkey.id, deviceType: 'singleDevice' }],
    )
    t.notMatch(body, /publicKey/)
    const account = (await client.get<{ id: string }>('v1/account')).body.id
    const stored = async () => (await db.collection('passkeys').find().toArray()).map((own) => String(own.account))
    t.ok((await stored()).includes(account))
    t.equal((await client.delete('v1/account')).statusCode, 204)
    t.notOk((await stored()).includes(account))
  })

  t.test('a change of password leaves passkeys', async (t) => {
    const { client, authenticator } = await passkeyUser(url)
    const json = { currentPassword: password, newPassword: `${password}, again` }
    t.equal((await client.put('v1/account/password', { json })).statusCode, 204)
    t.equal((await logInBy(makeClient(url), authenticator)).statusCode, 200)
  })
})

t.test('without a host name to belong to, passkeys are off', async (t) => {
  const { url } = await testServer(t, { PUBLIC_ORIGIN: 'http://127.0.0.1:5000,http://rookery.example' })
  const { client } = await signUp(url)
  await confirm(client)
  for (const [path, json] of [
    ['v1/passkeys/options'],
    ['v1/session/confirm/options'],
    ['v1/session/passkey/options', {}],
  ] as const) {
    const { statusCode, body } = await client.post(path, { ...(json && { json }) })
    t.match({ statusCode, body }, { statusCode: 403, body: { code: 'forbidden', detail: /PUBLIC_ORIGIN/ } }, path)
  }
})
