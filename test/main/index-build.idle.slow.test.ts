import t from 'tap'
import { client, startHere, username } from '../embedded-mongod/fixtures/server.ts'
import { signUp } from '../helper.ts'
import { freshFolder, ServerProcess, startServer } from './server-process.ts'

const secrets = { DB_USER: username, DB_PASSWORD: 'first password', JWT_SIGN_KEY: 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K' }

for (const WEB_CONCURRENCY of ['1', '2'])
  t.test(
    `a start waits while MongoDB builds an index, and logs so, with WEB_CONCURRENCY=${WEB_CONCURRENCY}`,
    { timeout: 200_000 },
    async (t) => {
      const { uri, administer } = await startHere(t, await freshFolder(t))
      await administer((admin) => admin.command({ setParameter: 1, transactionLifetimeLimitSeconds: 200 }))
      const env = { ...secrets, MONGODB_URI: uri, WEB_CONCURRENCY }
      const first = await startServer(t, env)
      t.notMatch(first.out, /building/, 'an empty database is not worth a line')
      await first.kill('SIGTERM')

      // A transaction that has written to a collection holds up an index build there, as if the collection were large.
      const mongo = client(t, uri)
      const follows = mongo.db('rookery').collection<{ _id: string }>('follows')
      await follows.dropIndexes()
      const session = mongo.startSession()
      session.startTransaction()
      await follows.insertOne({ _id: 'holds up' }, { session })
      const server = new ServerProcess(t, env)
      await server.says(/MongoDB is building indexes[^[]*collection: "follows"[^[]*seconds: 1\d/)
      await server.says(/MongoDB is building indexes[^[]*collection: "follows"[^[]*seconds: 2\d/)
      t.notMatch(server.out, /listens on/)
      await session.abortTransaction()
      await session.endSession()

      const url = await server.ready()
      t.match(server.out, /indexes are built[^[]*collection: "follows"/)
      await signUp(url)
      t.match(await server.kill('SIGTERM'), { code: 0, error: '' })
    },
  )
