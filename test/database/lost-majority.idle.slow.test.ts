import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { eventually } from '../eventually.ts'
import { makeClient, testConfig } from '../helper.ts'
import { startReplicaSet } from './fixtures/replica-set.ts'

t.test('a primary without a majority: the database is not ready at once, and the process is', async (t) => {
  const { members, isPrimary, connection } = await startReplicaSet(t)
  const app = await buildApp(await testConfig(connection), connection, pino({ level: 'silent' }))
  t.teardown(() => app.close())
  const client = makeClient(await app.listen({ host: '127.0.0.1', port: 0 }))
  const statusOf = async (path: string) => (await client.get(path)).statusCode
  await eventually(async () => (await statusOf('health/database')) === 200)
  const secondaries = members.slice(1).map(({ pid }) => pid() ?? 0)
  const signal = (name: NodeJS.Signals) => {
    for (const pid of secondaries) process.kill(pid, name)
  }
  signal('SIGSTOP')
  try {
    t.ok(await isPrimary(), 'it does not know yet')
    t.equal(await statusOf('health/database'), 503)
    t.equal(await statusOf('health/ready'), 200)
    await eventually(async () => !(await isPrimary()))
    t.equal(await statusOf('health/database'), 503)
    t.equal(await statusOf('health/ready'), 200)
  } finally {
    signal('SIGCONT')
  }
  await eventually(async () => (await statusOf('health/database')) === 200)
})
