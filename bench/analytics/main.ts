import { parseArgs } from 'node:util'
import { MongoClient } from 'mongodb'
import { pino } from 'pino'
import { dayMs } from '../../src/analytics/daily-counts.ts'
import { dayExpression } from '../../src/analytics/day-expression.ts'
import { buildApp } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import { type Connection, clientOptions } from '../../src/database/connection.ts'
import { exchange } from '../load/exchange.ts'
import { httpRequest } from '../load/plan.ts'
import { withMongod } from '../mongod.ts'
import { signUp } from '../scenarios/accounts.ts'
import { fill } from './fill.ts'

const help = `Usage: npm run bench:analytics -- [--reactions <n>]

Fills a database of its own with reactions over a year (default 1000000), requests the year's analytics 50 times, and
recounts all reactions. Exit code: 0 both agree, 1 they differ.
`
const days = 366
const requestCount = 50
const recountTimeoutMs = 600_000

const print = (line: string) => void process.stdout.write(`${line}\n`)
const { values } = parseArgs({ options: { reactions: { type: 'string' }, help: { type: 'boolean' } } })
if (values.help) process.stdout.write(help)
else process.exitCode = await withMongod((connection) => bench(connection, Number(values.reactions ?? 1_000_000)))

async function bench(connection: Connection, count: number): Promise<number> {
  const today = new Date(Math.floor(Date.now() / dayMs) * dayMs)
  const from = new Date(today.getTime() - (days - 1) * dayMs)
  const config = await readConfig({
    MONGODB_URI: connection.uri,
    DB_USER: connection.username,
    DB_PASSWORD: connection.password,
    JWT_SIGN_KEY: 'the bench signs with this key and no other does',
    BCRYPT_COST: '4',
    METRICS_PORT: '0',
  })
  const app = await buildApp(config, connection, pino({ level: 'silent' }))
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const client = await new MongoClient(connection.uri, {
    ...clientOptions(connection),
    socketTimeoutMS: recountTimeoutMs,
  }).connect()
  try {
    const db = client.db('rookery')
    const fillStartedAt = performance.now()
    await fill(db, { count, from, days })
    print(
      `${count.toLocaleString('en')} reactions written in ${((performance.now() - fillStartedAt) / 1000).toFixed(0)} s`,
    )

    const port = Number(new URL(url).port)
    const [account] = await signUp('rookery', port, 1)
    const range = `from=${from.toISOString().slice(0, 10)}&to=${today.toISOString().slice(0, 10)}`
    const request = httpRequest('GET', `/v1/analytics/reactions?${range}`, { header: account?.header })
    const latenciesMs: number[] = []
    let total: unknown = null
    for (let n = 0; n < requestCount; n += 1) {
      const startedAt = performance.now()
      const { body } = await exchange(port, request)
      total = (body as { total: unknown }).total // By the contract.
      latenciesMs.push(performance.now() - startedAt)
    }

    const sorted = latenciesMs.toSorted((one, other) => one - other)
    print(
      `a year by the API: median ${sorted[requestCount >> 1]?.toFixed(1)} ms, slowest of ${requestCount} ${sorted.at(-1)?.toFixed(1)} ms`,
    )

    const recountStartedAt = performance.now()
    const countIf = (value: string) => ({ $sum: { $cond: [{ $eq: ['$value', value] }, 1, 0] } })
    const recounted = await db
      .collection('reactions')
      .aggregate([
        { $group: { _id: dayExpression('$order', from, today), likes: countIf('like'), dislikes: countIf('dislike') } },
      ])
      .toArray()
    const recountMs = performance.now() - recountStartedAt
    const sum = (field: string) => recounted.reduce((total, row) => total + Number(row[field]), 0)
    const same = JSON.stringify(total) === JSON.stringify({ likes: sum('likes'), dislikes: sum('dislikes') })
    print(`recounted in ${recountMs.toFixed(0)} ms`)
    print(same ? 'Both agree.' : 'They differ.')
    return same ? 0 : 1
  } finally {
    await client.close()
    await app.close()
  }
}
