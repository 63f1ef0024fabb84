import { createHash } from 'node:crypto'
import { BSON } from 'mongodb'
import t from 'tap'
import { dataCollections } from '../data-collections.ts'
import { password, signUp, testServer } from '../helper.ts'

t.test('secrets at rest', async (t) => {
  const { url, db, lines } = await testServer(t)
  const { client, username } = await signUp(url)
  const secrets = new Map<string, Buffer>()
  const collectCookies = async (step: string) => {
    for (const { key, value } of await client.jar.getCookies(url)) {
      const bytes = Buffer.from(value, 'base64url')
      secrets.set(`${key} after ${step}`, Buffer.from(value))
      if (key === 'session') secrets.set(`signature after ${step}`, Buffer.from(value.split('.')[2] ?? '', 'base64url'))
      if (key === 'refresh') {
        secrets.set(`family after ${step}`, bytes.subarray(16, 32))
        secrets.set(`turn after ${step}`, bytes.subarray(32))
      }
      if (key === 'device') secrets.set(`device bytes after ${step}`, bytes)
    }
  }
  await collectCookies('sign-up')
  await client.post('v1/session/refresh')
  await collectCookies('refresh')
  await client.post('v1/session/confirm', { json: { password } })
  await client.post('v1/posts', { json: { text: 'in the database' }, headers: { 'idempotency-key': 'one' } })
  await client.post('v1/session', { json: { username, password } })
  await client.post('v1/session', { json: { username, password: 'a wrong one, nearly right' } })
  await collectCookies('login')
  secrets.set('password', Buffer.from(password))
  secrets.set('wrong password', Buffer.from('a wrong one, nearly right'))
  t.ok(secrets.size > 15)

  const collections = await dataCollections(db)
  const dump = new Map<string, string>()
  for (const collection of collections) {
    dump.set(collection.collectionName, BSON.EJSON.stringify(await collection.find().toArray(), { relaxed: false }))
  }
  const forms = (secret: Buffer) =>
    [secret.toString('utf8'), ...(['base64', 'base64url', 'hex'] as const).map((form) => secret.toString(form))].map(
      (text) => text.replace(/=+$/, ''),
    )

  const secretsIn = (text: string) =>
    [...secrets].filter(([, bytes]) => forms(bytes).some((form) => text.includes(form))).map(([name]) => name)

  t.test('no collection contains a password or a part of a token, as text, base64 or hex', async (t) => {
    t.ok(dump.get('posts')?.includes('in the database'), 'the dump contains stored text')
    const stored = createHash('sha256')
      .update(secrets.get('family after login') ?? '')
      .digest('base64')
    t.ok(dump.get('sessions')?.includes(stored), 'and stored bytes: the hash of the family')
    secrets.set('fast hash of the password', createHash('sha256').update(password).digest())
    for (const [name, text] of dump) t.same(secretsIn(text), [], name)
  })

  t.test('the log contains no password and no part of a token', async (t) => {
    const log = lines.join('')
    t.ok(lines.length > 5)
    t.same(secretsIn(log), [])
  })

  t.test('hashes are in credentials only, as bcrypt with scheme and pepper, without other account data', async (t) => {
    for (const [name, text] of dump) t.equal(/\$2[abxy]\$\d\d\$/.test(text), name === 'credentials', name)
    const found = await db.collection('credentials').find().toArray()
    t.equal(found.length, 1)
    t.same(Object.keys(found[0] ?? {}).sort(), ['_id', 'lastLoginAt', 'password', 'revision', 'version'])
    t.match(found[0], { version: 1, password: { scheme: 1, pepper: null, bcrypt: /^\$2b\$04\$[./A-Za-z0-9]{53}$/ } })
    const account = await db.collection('accounts').findOne({})
    t.same(account?._id, found[0]?._id)
    t.same(Object.keys(account ?? {}).sort(), ['_id', 'bio', 'displayName', 'username'])
  })
})

t.test('two accounts with the same password have different hashes, and neither hash works for the other', async (t) => {
  const { url, db } = await testServer(t)
  const ann = await signUp(url)
  await signUp(url)
  const ids = await db.collection('credentials').distinct('_id')
  const [first, second] = await db.collection<{ password: object }>('credentials').find().toArray()
  t.equal(ids.length, 2)
  t.not(JSON.stringify(first?.password), JSON.stringify(second?.password))
  // The account's id is part of the digest: a hash that is copied to another account does not match there.
  await db.collection('credentials').updateMany({}, { $set: { password: second?.password } })
  const answers = await Promise.all(
    ids.map(async (id) => {
      const account = await db.collection<{ username: string }>('accounts').findOne({ _id: id })
      const json = { username: account?.username, password }
      return (await ann.client.post('v1/session', { json })).statusCode
    }),
  )
  t.same(answers.sort(), [200, 401])
})
