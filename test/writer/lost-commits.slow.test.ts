import { type Db, MongoClient, type MongoClientOptions } from 'mongodb'
import t, { type Test } from 'tap'
import { collections } from '../../src/collections.ts'
import { ensureIndexes } from '../../src/database/indexes.ts'
import { transactor } from '../../src/database/transaction.ts'
import { createWriter, writeQueue } from '../../src/write-operations.ts'
import { processesWith } from '../database/fixtures/processes.ts'
import { startHere, username } from '../embedded-mongod/fixtures/server.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase } from '../helper.ts'
import { Ledger } from './fixtures/ledger.ts'
import { machinesOn } from './fixtures/machines.ts'
import { type Driver, isUncertain, perform, type Step, type StepResult } from './fixtures/steps.ts'
import { readStored, violatedInvariants } from './fixtures/stored.ts'
import { withUncertainty, writerDriver } from './fixtures/writer-driver.ts'

const onLinux = { skip: process.platform === 'linux' ? false : 'reads /proc', timeout: 120_000 }

/** A client of a mongod behind a proxy that can cut commits. */
async function connectThroughProxy(t: Test, uri: string, options: MongoClientOptions) {
  const proxy = await cuttableProxy(t, Number(new URL(uri).port))
  const client = new MongoClient(proxy.uri(''), {
    authSource: 'admin',
    monitorCommands: true,
    serverSelectionTimeoutMS: 4_000,
    heartbeatFrequencyMS: 500,
    ...options,
  })
  t.teardown(() => client.close())
  return { proxy, client }
}

const stepsPerAccount = 6

/** Six steps of all kinds by each account, contending for two posts. */
function contendingSteps(
  round: number,
  accounts: readonly string[],
  [target = '', doomed = '']: readonly string[],
): Step[] {
  return accounts.flatMap((by, n): Step[] => [
    { kind: 'create', by, text: `reply ${round} ${n}`, replyTo: target, key: `r${round}` },
    { kind: 'create', by, text: `root ${round} ${n}`, replyTo: null, key: null },
    { kind: 'react', by, post: target, value: (['like', 'dislike', null] as const)[(n + round) % 3] ?? null },
    { kind: 'react', by, post: doomed, value: 'like' },
    { kind: 'edit', by, post: target, text: `edit ${round} ${n}` },
    { kind: 'delete', by, post: doomed },
  ])
}

/** Performs concurrent steps and records them in a ledger. */
function recorder(db: Db, client: MongoClient, accounts: readonly string[]) {
  const commits = writeQueue(db, transactor(client))
  const driverWith = (timeoutMs: number) =>
    withUncertainty(writerDriver(createWriter((entry) => commits.submit(entry, performance.now() + timeoutMs))))
  const [patient, impatient] = [driverWith(4_500), driverWith(700)]
  const ledger = new Ledger(accounts)

  async function performAll(steps: Step[], driverOf: (n: number) => Driver): Promise<StepResult[]> {
    const results = await Promise.all(steps.map((step, n) => perform(driverOf(n), step)))
    ledger.record(results)
    return results
  }

  return {
    performPatiently: (steps: Step[]) => performAll(steps, () => patient),
    /** Half of the steps time out before their commit is answered, and the batch is retried without them. */
    performHalfImpatiently: (steps: Step[]) =>
      performAll(steps, (n) => ((n + Math.floor(n / stepsPerAccount)) % 2 === 0 ? impatient : patient)),

    /** Creates two posts and returns their ids. */
    async createTwoPosts(by: string): Promise<string[]> {
      const steps = ['one', 'two'].map((text) => ({ kind: 'create', by, text, replyTo: null, key: null }) as const)
      const results = await performAll(steps, () => patient)
      return results.flatMap(({ answer }) =>
        typeof answer === 'object' && answer && 'post' in answer ? answer.post : [],
      )
    },

    async mismatches(): Promise<string[]> {
      const stored = await readStored(db, client)
      return [...violatedInvariants(stored), ...ledger.compare(stored)]
    },
  }
}

const uncertainIn = (results: StepResult[]) => results.filter(({ answer }) => isUncertain(answer)).length

/** Calls `act` at the next event of a commit, and then resolves. */
function atCommit(client: MongoClient, event: 'commandStarted' | 'commandFailed', act: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  client.on(event, function onEvent({ commandName }: { commandName: string }) {
    if (commandName !== 'commitTransaction') return
    client.off(event, onEvent)
    act()
    resolve()
  })
  return promise
}

t.test('mongod killed while it commits a batch: every acknowledged write exists once', onLinux, async (t) => {
  const dataDir = t.testdir()
  const { uri } = await startHere(t, dataDir)
  const { client, proxy } = await connectThroughProxy(t, uri, { auth: { username, password: 'first password' } })
  const db = client.db('rookery')
  await ensureIndexes(db, collections)
  const mongod = async () => {
    const [found] = (await processesWith(dataDir)).filter(({ program }) => !program.endsWith('sh'))
    if (!found) throw new Error('no mongod')
    return found.pid
  }
  const { newAccounts, sweep } = machinesOn(db, client)
  const accounts = await newAccounts(6)
  const { performHalfImpatiently, performPatiently, createTwoPosts, mismatches } = recorder(db, client, accounts)

  const whenAnswered = (kill: () => void) => {
    // Twice: the driver itself retries once.
    proxy.cut({ command: 'commitTransaction', when: 'answered', times: 2 })
    return atCommit(client, 'commandFailed', kill)
  }
  const moments: [string, (steps: Step[]) => Promise<StepResult[]>, (kill: () => void) => Promise<void>][] = [
    ['before it receives the commit', performHalfImpatiently, (kill) => atCommit(client, 'commandStarted', kill)],
    [
      'when it receives the commit',
      performHalfImpatiently,
      (kill) => atCommit(client, 'commandStarted', () => setImmediate(kill)),
    ],
    [
      'a millisecond later',
      performHalfImpatiently,
      (kill) => atCommit(client, 'commandStarted', () => setTimeout(kill, 1)),
    ],
    ['when its answer is lost, and half of the steps have timed out', performHalfImpatiently, whenAnswered],
    ['when its answer is lost, and all steps have time', performPatiently, whenAnswered],
  ]
  for (const [round, [when, performAll, moment]] of moments.entries()) {
    const posts = await createTwoPosts(accounts[0] ?? '')
    const pid = await mongod()
    const killed = moment(() => process.kill(pid, 'SIGKILL'))
    const results = await performAll(contendingSteps(round, accounts, posts))
    await killed
    await sweep()
    t.same(await mismatches(), [], `killed ${when}: ${uncertainIn(results)} of ${results.length} steps are uncertain`)
    t.not(await mongod(), pid, 'mongod was killed and replaced')
  }
})

t.test(
  'a commit that the driver repeats after its connection hung is applied once',
  { timeout: 120_000 },
  async (t) => {
    const { db: own, connection } = await freshDatabase(t)
    const { uri, ...auth } = connection
    // After 2 s the driver closes the connection and sends the commit once more.
    const { client, proxy } = await connectThroughProxy(t, uri, { auth, socketTimeoutMS: 2_000 })
    const db = client.db(own.databaseName)
    await ensureIndexes(db, collections)
    const { newAccounts, sweep } = machinesOn(db, client)
    const accounts = await newAccounts(6)
    const { performHalfImpatiently, createTwoPosts, mismatches } = recorder(db, client, accounts)

    const posts = await createTwoPosts(accounts[0] ?? '')
    proxy.cut({ command: 'commitTransaction', when: 'never', times: 1 })
    const results = await performHalfImpatiently(contendingSteps(0, accounts, posts))
    t.equal(proxy.cuts(), 1)
    t.equal(uncertainIn(results), results.length / 2, 'the impatient half timed out')
    await sweep()
    t.same(await mismatches(), [], 'acknowledged writes exist once')
    const replies = await db.collection('posts').countDocuments({ text: /^reply/ })
    t.equal(replies, accounts.length, 'all of the first batch was committed')
  },
)
