import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { spawnGuarded } from '../../src/embedded-mongod/child-guard.ts'
import { findFreePort, waitUntilListening } from '../../src/embedded-mongod/port.ts'
import { eventually } from '../eventually.ts'
import { makeClient, testConfig } from '../helper.ts'
import { freshFolder } from '../main/server-process.ts'

const password = 'a password of its own'

async function startMember(t: Test) {
  const folder = await freshFolder(t)
  const port = await findFreePort()
  const log = await open(join(folder, 'log'), 'a')
  t.teardown(() => log.close())
  const address = ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket']
  const small = ['--oplogSize', '50', '--wiredTigerCacheSizeGB', '0.25']
  const binary = process.env.TEST_MONGOD_BINARY ?? 'mongod'
  const mongod = spawnGuarded(binary, [...address, '--replSet', 'three', ...small], log.fd)
  t.teardown(() => mongod.stop())
  await waitUntilListening(port, AbortSignal.timeout(60_000))
  return { ...mongod, host: `127.0.0.1:${port}` }
}

/** A replica set of three, whose first member is primary and has a user. */
async function startReplicaSet(t: Test) {
  const members = await Promise.all([startMember(t), startMember(t), startMember(t)])
  const direct = new MongoClient(`mongodb://${members[0].host}/?directConnection=true`)
  t.teardown(() => direct.close())
  const admin = direct.db('admin')
  const configured = members.map(({ host }, _id) => ({ _id, host, priority: _id === 0 ? 1 : 0 }))
  await admin.command({ replSetInitiate: { _id: 'three', members: configured } })
  const isPrimary = async () => Boolean((await admin.command({ hello: 1 })).isWritablePrimary)
  await eventually(isPrimary)
  await admin.command({ createUser: 'rookery', pwd: password, roles: ['root'], writeConcern: { w: 3 } })
  return { members, isPrimary }
}

t.test('a primary without a majority: the database is not ready at once, and the process is', async (t) => {
  const { members, isPrimary } = await startReplicaSet(t)
  const uri = `mongodb://${members.map(({ host }) => host).join(',')}/rookery?replicaSet=three`
  const connection = { uri, username: 'rookery', password }
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
