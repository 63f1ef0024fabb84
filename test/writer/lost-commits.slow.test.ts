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
import { overWriter, withDoubts } from './fixtures/over-writer.ts'
import { type Done, isDoubt, type Step, take, type Way } from './fixtures/steps.ts'
import { disagreements, readStored } from './fixtures/stored.ts'

const onLinux = { skip: process.platform === 'linux' ? false : 'looks into /proc', timeout: 120_000 }

/** A way to a mongod, on which commits can be cut. */
async function wayTo(t: Test, uri: string, options: MongoClientOptions) {
  const proxy = await cuttableProxy(t, Number(new URL(uri).port))
  // Direct: the replica set's own address would lead around the proxy.
  const client = new MongoClient(`mongodb://127.0.0.1:${proxy.port}/?directConnection=true`, {
    authSource: 'admin',
    monitorCommands: true,
    serverSelectionTimeoutMS: 4_000,
    heartbeatFrequencyMS: 500,
    ...options,
  })
  t.teardown(() => client.close())
  return { proxy, client }
}

const kinds = 6

/** Six steps of all kinds by each of some accounts, on two posts of theirs; some of them touch the same things. */
function manySteps(round: number, accounts: readonly string[], [target = '', doomed = '']: readonly string[]): Step[] {
  return accounts.flatMap((by, n): Step[] => [
    { kind: 'create', by, text: `reply ${round} ${n}`, replyTo: target, key: `r${round}` },
    { kind: 'create', by, text: `root ${round} ${n}`, replyTo: null, key: null },
    { kind: 'react', by, post: target, value: (['like', 'dislike', null] as const)[(n + round) % 3] ?? null },
    { kind: 'react', by, post: doomed, value: 'like' },
    { kind: 'edit', by, post: target, text: `edit ${round} ${n}` },
    { kind: 'remove', by, post: doomed },
  ])
}

/** Does things at once and writes down what came of them. */
function bookkeeper(db: Db, client: MongoClient, accounts: readonly string[]) {
  const commits = writeQueue(db, transactor(client))
  const wayFor = (patience: number) =>
    withDoubts(overWriter(createWriter((entry) => commits.submit(entry, performance.now() + patience))))
  const [patient, hasty] = [wayFor(4_500), wayFor(700)]
  const ledger = new Ledger(accounts)

  async function doAll(steps: Step[], wayOf: (n: number) => Way): Promise<Done[]> {
    const done = await Promise.all(steps.map((step, n) => take(wayOf(n), step)))
    ledger.settle(done)
    return done
  }

  return {
    doPatiently: (steps: Step[]) => doAll(steps, () => patient),
    /** Half of it has so little time that it gets no answer, and the batch is given again without it. */
    doHalfInHaste: (steps: Step[]) => doAll(steps, (n) => ((n + Math.floor(n / kinds)) % 2 === 0 ? hasty : patient)),

    /** Makes two posts; returns their ids. */
    async makeTwo(by: string): Promise<string[]> {
      const steps = ['one', 'two'].map((text) => ({ kind: 'create', by, text, replyTo: null, key: null }) as const)
      const done = await doAll(steps, () => patient)
      return done.flatMap(({ answer }) => (typeof answer === 'object' && answer && 'post' in answer ? answer.post : []))
    },

    async faults(): Promise<string[]> {
      const stored = await readStored(db, client)
      return [...disagreements(stored), ...ledger.compare(stored)]
    },
  }
}

const doubtsOf = (done: Done[]) => done.filter(({ answer }) => isDoubt(answer)).length

/** Resolves when an event tells of a commit; `act` is called at that moment. */
function atCommit(client: MongoClient, event: 'commandStarted' | 'commandFailed', act: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  client.on(event, function seen({ commandName }: { commandName: string }) {
    if (commandName !== 'commitTransaction') return
    client.off(event, seen)
    act()
    resolve()
  })
  return promise
}

t.test('mongod is killed while it commits a batch', onLinux, async (t) => {
  const dataDir = t.testdir()
  const { uri } = await startHere(t, dataDir)
  const { client, proxy } = await wayTo(t, uri, { auth: { username, password: 'first password' } })
  const db = client.db('rookery')
  await ensureIndexes(db, collections)
  const mongod = async () => {
    const [found] = (await processesWith(dataDir)).filter(({ program }) => !program.endsWith('sh'))
    if (!found) throw new Error('no mongod')
    return found.pid
  }
  const { newAccounts, sweep } = machinesOn(db, client)
  const accounts = await newAccounts(6)
  const { doHalfInHaste, doPatiently, makeTwo, faults } = bookkeeper(db, client, accounts)

  const whenAnswered = (kill: () => void) => {
    // Twice: the driver itself asks again once.
    proxy.cut({ command: 'commitTransaction', when: 'answered', times: 2 })
    return atCommit(client, 'commandFailed', kill)
  }
  const moments: [string, (steps: Step[]) => Promise<Done[]>, (kill: () => void) => Promise<void>][] = [
    ['before it hears of it', doHalfInHaste, (kill) => atCommit(client, 'commandStarted', kill)],
    ['when it hears of it', doHalfInHaste, (kill) => atCommit(client, 'commandStarted', () => setImmediate(kill))],
    ['a little later', doHalfInHaste, (kill) => atCommit(client, 'commandStarted', () => setTimeout(kill, 1))],
    ['when its answer is lost, and some cannot wait', doHalfInHaste, whenAnswered],
    ['when its answer is lost, and all can wait', doPatiently, whenAnswered],
  ]
  for (const [round, [when, doAll, moment]] of moments.entries()) {
    const posts = await makeTwo(accounts[0] ?? '')
    const pid = await mongod()
    const killed = moment(() => process.kill(pid, 'SIGKILL'))
    const done = await doAll(manySteps(round, accounts, posts))
    await killed
    await sweep()
    t.same(await faults(), [], `${when}: ${doubtsOf(done)} of ${done.length} have no answer`)
    t.not(await mongod(), pid, 'it was killed')
  }
})

t.test('a commit that has no answer, and happens later', { timeout: 120_000 }, async (t) => {
  const { db: own, connection } = await freshDatabase(t)
  const { uri, ...auth } = connection
  // After 2 seconds the driver breaks the connection and sends the commit once more.
  const { client, proxy } = await wayTo(t, uri, { auth, socketTimeoutMS: 2_000 })
  const db = client.db(own.databaseName)
  await ensureIndexes(db, collections)
  const { newAccounts, sweep } = machinesOn(db, client)
  const accounts = await newAccounts(6)
  const { doHalfInHaste, makeTwo, faults } = bookkeeper(db, client, accounts)

  const posts = await makeTwo(accounts[0] ?? '')
  proxy.cut({ command: 'commitTransaction', when: 'never', times: 1 })
  const done = await doHalfInHaste(manySteps(0, accounts, posts))
  t.equal(proxy.cuts(), 1)
  t.equal(doubtsOf(done), done.length / 2, 'who had little time has no answer')
  await sweep()
  t.same(await faults(), [], 'what the others were told is so, once')
  const replies = await db.collection('posts').countDocuments({ text: /^reply/ })
  t.equal(replies, accounts.length, 'the first commit happened')
})
