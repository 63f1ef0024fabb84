import { readFile } from 'node:fs/promises'
import { type Document, MongoClient } from 'mongodb'
import { pino } from 'pino'
import t from 'tap'
import { resetPassword } from '../../src/accounts/reset-password.ts'
import { buildApp } from '../../src/app.ts'
import { collections } from '../../src/collections.ts'
import { clientOptions } from '../../src/database/connection.ts'
import { newId } from '../../src/database/ids.ts'
import { shardKeys } from '../../src/database/shard-keys.ts'
import { transactor } from '../../src/database/transaction.ts'
import { localWriter } from '../../src/write-operations.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, makeClient, signUp, testConfig } from '../helper.ts'
import { passkeyEnv } from '../passkeys/ceremonies.ts'
import { useEveryRoute } from '../services/every-route.ts'
import { startProfile } from '../services/used-actions.ts'
import { readStatements, type Statement } from './fixtures/statements.ts'

type Line = { method?: string; path?: string }
type Paths = { paths: Record<string, Record<string, unknown>> }

const isOperators = (value: object) => Object.keys(value).some((key) => key.startsWith('$'))

/** A value that hashes to one shard: a range or another condition does not. */
const isEquality = (value: unknown) =>
  value !== undefined && (typeof value !== 'object' || value === null || !isOperators(value) || '$eq' in value)

const isTargeted = (value: unknown) =>
  isEquality(value) || (typeof value === 'object' && value !== null && '$in' in value)

/** Of an $or, every branch must name shards. */
const namesShards = ({ $or, ...filter }: Document, field: string): boolean =>
  isTargeted(filter[field]) || (Array.isArray($or) && $or.every((branch: Document) => namesShards(branch, field)))

const describe = ({ collection, kind, filter }: Statement) => `${kind} ${collection} ${JSON.stringify(filter)}`

t.test('every collection has a shard key or is unsharded, and every unique index begins with the key', async (t) => {
  t.same(Object.keys(shardKeys).sort(), Object.keys(collections).sort())
  for (const [name, indexes] of Object.entries(collections)) {
    const field = shardKeys[name]?.field
    for (const index of indexes) {
      if ('unique' in index && field) t.equal(Object.keys(index.key)[0], field, `${name}: ${JSON.stringify(index.key)}`)
    }
  }
})

t.test('docs/architecture.md has the same table, and the commands for it', async (t) => {
  const text = await readFile(new URL('../../docs/architecture.md', import.meta.url), 'utf8')
  for (const [name, sharding] of Object.entries(shardKeys)) {
    const { field } = sharding
    const isHashed = field !== undefined && sharding.by === 'hash'
    const key = field === undefined ? 'unsharded' : `${isHashed ? 'hashed ' : ''}\`${field}\``
    const asked = (field !== undefined && Object.values(sharding.asksAll).join('; ')) || 'none'
    t.ok(text.replaceAll(/ +/g, ' ').includes(`| \`${name}\` | ${key} | ${asked} |`), name)
    const command = `  ${name}: { ${field}: ${isHashed ? "'hashed'" : 1} },\n`
    t.equal(text.includes(command), field !== undefined, command)
  }
})

t.test('what the code asks of MongoDB, by shard', { timeout: 120_000 }, async (t) => {
  const { db, connection } = await freshDatabase(t)
  // As an operator would, before the first start.
  for (const [name, sharding] of Object.entries(shardKeys)) {
    if (sharding.field) await db.createIndex(name, { [sharding.field]: sharding.by === 'hash' ? 'hashed' : 1 })
  }
  await startProfile(db)
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(line) })
  const app = await buildApp(await testConfig(connection, { ...passkeyEnv, USERNAME_HOLD_DAYS: '1' }), connection, log)
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  await useEveryRoute(t, url)
  await useWriter()
  await eventually(async () => (await db.collection('removedPosts').countDocuments({ sweptAt: null })) === 0)
  await eventually(async () => (await db.collection('removedAccounts').countDocuments({ sweptAt: null })) === 0)
  const statements = await readStatements(db)

  /** What only concurrent requests, lost answers or the operator's command cause. */
  async function useWriter(): Promise<void> {
    const client = new MongoClient(connection.uri, clientOptions(connection))
    t.teardown(() => client.close())
    const { username } = await signUp(url)
    await resetPassword(client, db.databaseName, username, { cost: 4, peppers: [] })
    const own = client.db(db.databaseName)
    const { follow, react, createPost } = localWriter(own, transactor(client))
    const [from, to, id] = [newId(), newId(), newId()]
    const following = (follows: boolean) => follow({ from, to, follows, order: newId() })
    await following(true)
    await Promise.all([following(true), following(false), following(true)])
    const post = { id, author: from, text: '.', replyTo: null, claim: null }
    await createPost(post)
    await createPost({ ...post, retry: true })
    const reacting = (value: 'like' | null) => react({ post: id, account: to, value, order: newId() })
    await reacting('like')
    await Promise.all([reacting('like'), reacting(null), reacting('like')])
  }

  t.test('was asked by every route', async (t) => {
    const { body } = await makeClient(url).get<Paths>('openapi.json')
    const requested = lines.map((line): Line => JSON.parse(line)).map(({ method, path }) => `${method} ${path}`)
    for (const [template, operations] of Object.entries(body.paths)) {
      const pattern = template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')
      for (const method of Object.keys(operations)) {
        // The pulse asks nothing of MongoDB, and is not in the log at this level.
        if (!template.startsWith('/v1/') || template === '/v1/pulse') continue
        const isRequest = new RegExp(`^${method.toUpperCase()} ${pattern}$`)
        t.ok(
          requested.some((request) => isRequest.test(request)),
          `${method} ${template}`,
        )
      }
    }
  })

  t.test('each write of one document names its shard key', async (t) => {
    const ones = statements.filter(({ one }) => one)
    t.ok(ones.length > 100)
    for (const statement of ones) {
      const field = shardKeys[statement.collection]?.field
      if (field && !isEquality(statement.filter[field])) t.fail(describe(statement))
    }
  })

  t.test(
    'the other queries and writes ask every shard only where the table says so, and do where it does',
    async (t) => {
      const asked = new Set<string>()
      for (const statement of statements.filter(({ one }) => !one)) {
        const { collection, filter } = statement
        const sharding = shardKeys[collection]
        if (!sharding?.field || namesShards(filter, sharding.field)) continue
        const [first = ''] = Object.keys(filter)
        if (!(first in sharding.asksAll)) t.fail(describe(statement))
        asked.add(`${collection} ${first}`)
      }
      const documented = Object.entries(shardKeys).flatMap(([name, sharding]) =>
        sharding.field ? Object.keys(sharding.asksAll).map((field) => `${name} ${field}`) : [],
      )
      t.same([...asked].sort(), documented.sort())
    },
  )

  t.test('every document has its shard key', async (t) => {
    for (const [name, { field }] of Object.entries(shardKeys)) {
      if (field) t.equal(await db.collection(name).countDocuments({ [field]: null }), 0, name)
    }
  })

  t.test(
    'transactions hold neither a distinct nor a $lookup, which MongoDB refuses there for sharded data',
    async (t) => {
      const inTransaction = statements.filter((statement) => statement.inTransaction)
      t.ok(inTransaction.length > 0)
      t.same(
        inTransaction.filter(({ kind, joined }) => kind === 'distinct' || joined.length > 0),
        [],
      )
    },
  )
})
