import t from 'tap'
import { dataCollections } from '../data-collections.ts'
import { freshDatabase } from '../helper.ts'
import { expectRefusal } from './refusal.ts'
import { startServer } from './server-process.ts'

const key = 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K'

t.test('an index that lost its uniqueness stops the start with its name', async (t) => {
  const { connection, db } = await freshDatabase(t)
  const { uri, username, password } = connection
  const env = { MONGODB_URI: uri, DB_USER: username, DB_PASSWORD: password, JWT_SIGN_KEY: key }
  const server = await startServer(t, env)
  t.match(server.out, /Database {4}MONGODB_URI/)
  await server.kill('SIGTERM')

  const collections = await dataCollections(db)
  const indexes = collections.map(async (collection) => ({
    name: collection.collectionName,
    indexes: await collection.indexes(),
  }))
  const unique = (await Promise.all(indexes)).flatMap(({ name, indexes }) =>
    indexes.filter(({ unique }) => unique).map((index) => ({ name, index })),
  )
  t.ok(unique.length > 0, 'there are unique indexes besides _id')
  for (const { name, index } of unique) {
    const { v: _, name: indexName = '', unique: __, ...rest } = index
    await db.collection(name).dropIndex(indexName)
    await db.collection(name).createIndexes([{ ...rest, name: indexName }])
    const named = `The index ${JSON.stringify(index.key)} (unique) of the collection ${name} cannot be created`
    await expectRefusal(t, env, named)
    await db.collection(name).dropIndex(indexName)
    await startServer(t, env).then((mended) => mended.kill('SIGTERM'))
    const made = (await db.collection(name).indexes()).filter(({ unique }) => unique).map(({ key }) => key)
    t.same(made, [index.key], 'a missing index is created')
  }
})
