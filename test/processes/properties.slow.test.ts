import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import type { Got } from 'got'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { signUp } from '../helper.ts'
import { freshFolder, ServerProcess } from '../main/server-process.ts'
import { httpDriver } from '../writer/fixtures/http-driver.ts'
import { Ledger } from '../writer/fixtures/ledger.ts'
import { machinesOn } from '../writer/fixtures/machines.ts'
import { accountsNeeded, play, programs } from '../writer/fixtures/program.ts'
import { type Driver, isUncertain } from '../writer/fixtures/steps.ts'
import { readStored, violatedInvariants } from '../writer/fixtures/stored.ts'
import { pidsOf } from './cluster.ts'

/** The same programs in every run; FC_SEED=$RANDOM tries others. */
const seed = Number(process.env.FC_SEED ?? 5)
/** After this time, no request without an answer is still being written. */
const untilSettledMs = 5_500
/** After this time, no program begins but the first. */
const enoughMs = 15_000

/** A server in four processes with an embedded mongod, accounts that are logged in, and a client of its database. */
async function fourProcesses(t: Parameters<typeof freshFolder>[0]) {
  const DATA_DIR = await freshFolder(t)
  const server = new ServerProcess(t, { DATA_DIR, WEB_CONCURRENCY: '4', BCRYPT_COST: '4', LOG_LEVEL: 'info' })
  const url = await server.ready()
  const clients = new Map<string, Got>()
  while (clients.size < accountsNeeded) {
    const { client } = await signUp(url)
    clients.set((await client.get<{ id: string }>('v1/account')).body.id, client)
  }
  const text = (...path: string[]) => readFile(join(DATA_DIR, ...path), 'utf8')
  const client = new MongoClient(
    `mongodb://127.0.0.1:${(await text('mongod', 'port')).trim()}/?directConnection=true`,
    {
      auth: { username: 'rookery', password: (await text('db-password')).trim() },
      readConcern: { level: 'majority' },
      writeConcern: { w: 'majority', journal: true },
      serverSelectionTimeoutMS: 20_000,
    },
  )
  t.teardown(() => client.close())
  t.teardown(() => server.kill('SIGTERM'))
  const driver = httpDriver((account) => clients.get(account) ?? fail(account))
  const mongodPid = async () => Number(await text('mongod', 'data', 'mongod.lock'))
  return { server, accounts: [...clients.keys()], driver, client, db: client.db('rookery'), mongodPid }
}

const fail = (account: string): never => {
  throw new Error(`${account} has not signed up`)
}

/** Returns false when the process has exited. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    return false
  }
}

/** Retries an idempotent operation while MongoDB is being killed. */
async function retrying<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      if (tries === 20) throw error
      await delay(250)
    }
  }
}

/** Calls `note` for each step without an answer. */
function noting(driver: Driver, note: () => void): Driver {
  const watch =
    <Step, Answer>(act: (step: Step) => Promise<Answer>) =>
    async (step: Step) => {
      const answer = await act(step)
      if (isUncertain(answer)) note()
      return answer
    }
  return {
    create: watch(driver.create),
    edit: watch(driver.edit),
    react: watch(driver.react),
    delete: watch(driver.delete),
  }
}

for (const kills of [false, true]) {
  const name = kills
    ? 'and while mongod and processes are killed'
    : 'whatever is done at the same time in four processes'
  t.test(`${name}: every acknowledged write exists once and is counted`, { timeout: 200_000 }, async (t) => {
    const { server, accounts, driver, client, db, mongodPid } = await fourProcesses(t)
    const { sweep } = machinesOn(db, client)
    const written = ['posts', 'reactions', 'removedPosts', 'idempotency']
    let uncertain = 0
    const note = () => {
      uncertain += 1
    }
    const drivers = [noting(driver, note)]

    let killed = 0
    let ending = false
    let playing = false
    const victims = [
      async () => (await pidsOf(server, 'writer'))[0],
      mongodPid,
      async () => (await pidsOf(server, 'api'))[0],
    ]
    const killing = (async () => {
      while (kills && !ending) {
        await delay(400)
        if (!playing) continue
        const pid = await victims[killed % victims.length]?.().catch(() => undefined)
        if (!pid || !playing) continue
        if (kill(pid)) killed += 1
      }
    })()

    let played = 0
    const end = performance.now() + enoughMs
    const property = fc.asyncProperty(programs({ groups: 6, actions: 12 }), async (program) => {
      if (played > 0 && performance.now() > end) return
      played += 1
      for (const name of written) await retrying(() => db.collection(name).deleteMany({}))
      await retrying(() => db.collection('accountCounts').updateMany({}, { $set: { posts: 0 } }))
      const ledger = new Ledger(accounts)
      const before = uncertain
      playing = true
      await play(program, accounts, drivers, ledger)
      playing = false
      if (uncertain > before) await delay(untilSettledMs)
      await retrying(sweep)
      const stored = await retrying(() => readStored(db, client))
      const mismatches = [...violatedInvariants(stored), ...ledger.compare(stored)]
      if (mismatches.length > 0) throw new Error(mismatches.join('\n'))
    })
    const details = await fc.check(property, { seed, numRuns: 40 })
    ending = true
    await killing
    t.notOk(details.failed, fc.defaultReportMessage(details) ?? `${played} programs, seed ${seed}`)
    t.comment({ killed, uncertain })
    if (kills) t.ok(killed >= 3, `${killed} were killed`)
    else t.equal(uncertain, 0, 'everything was answered')
  })
}
