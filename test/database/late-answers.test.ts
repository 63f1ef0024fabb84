import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, makeClient, password, testConfig } from '../helper.ts'

t.test(
  'a sign-up that is answered 503 at its deadline creates nothing, however slowly the answer is sent',
  async (t) => {
    const { db, connection } = await freshDatabase(t)
    const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
    const uri = proxy.uri(db.databaseName)
    const config = await testConfig({ ...connection, uri })
    const errors: string[] = []
    const log = pino({ level: 'error' }, { write: (line) => void errors.push(line) })
    const app = await buildApp(config, { ...connection, uri }, log)
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    t.teardown(() => app.close())

    // MongoDB answers the handler's query right after the deadline of 5 s.
    proxy.cut({ command: 'find', collection: 'usernames', when: 'late', delayMs: 5_100, times: 1 })
    // The answer waits until the reserved sign-up is released, for half a second at most.
    proxy.cut({ command: 'update', collection: 'throttle', when: 'late', delayMs: 2_000, times: 2 })
    const answer = await makeClient(url).post('v1/accounts', { json: { username: 'ann', password } })
    t.match(answer, { statusCode: 503, body: { code: 'database-unavailable' } })
    t.equal(proxy.cuts(), 3)
    // Longer than the creation would take.
    const other = await makeClient(url).post('v1/accounts', { json: { username: 'bob', password } })
    t.equal(other.statusCode, 201)
    t.same(await db.collection('accounts').distinct('username'), ['bob'])
    t.same(errors, [])
  },
)
