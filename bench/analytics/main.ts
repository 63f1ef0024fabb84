import { parseArgs } from 'node:util'
import { MongoClient } from 'mongodb'
import { pino } from 'pino'
import { dayMs } from '../../src/analytics/daily-counts.ts'
import { dayExpression } from '../../src/analytics/day-expression.ts'
import { buildApp } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import { type Connection, clientOptions } from '../../src/database/connection.ts'
import { withMongod } from '../mongod.ts'
import { signUp } from '../scenarios/people.ts'
import { fill } from './fill.ts'

const help = `Usage: npm run bench:analytics -- [--reactions <n>]

Fills a database of its own with reactions over a year (default 1000000), then asks for the year's analytics again and
again, and counts the reactions anew beside it. Exit code: 0 both say the same, 1 not.
`
const days = 366
const times = 50
/** Counting anew may take long, in milliseconds. */
const recountWithin = 600_000

const say = (line: string) => void process.stdout.write(`${line}\n`)
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
    socketTimeoutMS: recountWithin,
  }).connect()
  try {
    const db = client.db('rookery')
    const filling = performance.now()
    await fill(db, { count, from, days })
    say(`${count.toLocaleString('en')} reactions in ${((performance.now() - filling) / 1000).toFixed(0)} s`)

    const [person] = await signUp(url, 1)
    const range = `from=${from.toISOString().slice(0, 10)}&to=${today.toISOString().slice(0, 10)}`
    const headers = { cookie: person?.cookie ?? '' }
    const asked: number[] = []
    let total: unknown = null
    for (let n = 0; n < times; n += 1) {
      const began = performance.now()
      const answer = await fetch(`${url}/v1/analytics/reactions?${range}`, { headers })
      total = ((await answer.json()) as { total: unknown }).total
      asked.push(performance.now() - began)
    }

    const sorted = asked.toSorted((one, other) => one - other)
    say(
      `a year by the API: ${sorted[times >> 1]?.toFixed(1)} ms, the slowest of ${times} ${sorted.at(-1)?.toFixed(1)} ms`,
    )

    const counting = performance.now()
    const is = (value: string) => ({ $sum: { $cond: [{ $eq: ['$value', value] }, 1, 0] } })
    const counted = await db
      .collection('reactions')
      .aggregate([
        { $group: { _id: dayExpression('$order', from, today), likes: is('like'), dislikes: is('dislike') } },
      ])
      .toArray()
    const recount = performance.now() - counting
    const sum = (field: string) => counted.reduce((all, one) => all + Number(one[field]), 0)
    const same = JSON.stringify(total) === JSON.stringify({ likes: sum('likes'), dislikes: sum('dislikes') })
    say(`counted anew: ${recount.toFixed(0)} ms`)
    say(same ? 'Both say the same.' : 'They differ.')
    return same ? 0 : 1
  } finally {
    await client.close()
    await app.close()
  }
}
