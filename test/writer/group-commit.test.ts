import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { type ClientSession, MongoClient, MongoNetworkError } from 'mongodb'
import t, { type Test } from 'tap'
import { OverloadedError, TransactionTimeoutError } from '../../src/database/failures.ts'
import { delayRetry, type Transact, transactor } from '../../src/database/transaction.ts'
import { groupCommit } from '../../src/writer/group-commit.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase } from '../helper.ts'

type Item = { n: number; size?: number; again?: true }
type Batch = readonly Item[]
type Thing = { n: number }

/** A group commit of numbers into a collection, and what it did. */
async function numbers(
  t: Test,
  options: {
    /** runs in each transaction, before its items are written */
    before?: (items: Batch, session: ClientSession, run: number) => unknown
    /** stands in for the transactions, `attempt` from 0 on */
    instead?: (transact: Transact, attempt: number) => Transact
    /** false: nothing is written at all */
    writes?: boolean
    client?: MongoClient
  } = {},
) {
  const database = await freshDatabase(t)
  const { client = database.client, writes = true } = options
  const db = client.db(database.db.databaseName)
  const things = await db.createCollection<Thing>('things')
  const batches: Batch[] = []
  let transactions = 0
  const real = transactor(client)
  const transact: Transact = (work, ...limits) => {
    const chosen = options.instead?.(real, transactions) ?? real
    transactions += 1
    return chosen(work, ...limits)
  }

  /** Nothing keeps a number from being written twice but that it is looked up when it is given again. */
  async function write(items: Batch, session: ClientSession): Promise<string[]> {
    batches.push(items)
    await options.before?.(items, session, batches.length)
    const before = items.filter(({ again }) => again).map(({ n }) => n)
    const known = before.length === 0 ? [] : await things.find({ n: { $in: before } }, { session }).toArray()
    const fresh = items.filter(({ n }) => !known.some((thing) => thing.n === n))
    if (writes && fresh.length > 0) await things.insertMany(fresh.map(({ n }) => ({ n })) as Thing[], { session })
    return items.map(({ n }) => `wrote ${n}`)
  }

  const { submit } = groupCommit<Item, string>({
    transact,
    apply: write,
    sizeOf: ({ size = 1 }) => size,
    keyOf: ({ n }) => String(n),
    markRetry: (item) => ({ ...item, again: true }),
  })
  return {
    db,
    client,
    submit,
    submitAll: (items: Batch) => Promise.allSettled(items.map((item) => submit(item))),
    batches,
    numbersOf: () => batches.map((items) => items.map(({ n }) => n)),
    transactions: () => transactions,
    stored: async () => (await things.find().sort({ n: 1 }).toArray()).map(({ n }) => n),
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))
const numbersUpTo = (count: number) => [...Array(count).keys()]
const wrote = (n: number) => ({ status: 'fulfilled', value: `wrote ${n}` })

/** Everybody waits at it until it is opened. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { passed: () => promise, open: resolve }
}

async function until(condition: () => boolean) {
  for (let n = 0; !condition(); n += 1) {
    if (n > 2_000) throw new Error('it did not come true')
    await delay(5)
  }
}

t.test('what arrives during a commit goes together in the next one', async (t) => {
  const held = gate()
  const { submit, submitAll, numbersOf, transactions, stored } = await numbers(t, {
    before: (_, __, run) => (run === 1 ? held.passed() : undefined),
  })
  const answers: Promise<string>[] = []
  for (const n of numbersUpTo(51)) {
    answers.push(submit({ n }))
    await until(() => numbersOf().length === 1)
    await nextTurn()
  }
  held.open()
  t.same(
    await Promise.all(answers),
    numbersUpTo(51).map((n) => `wrote ${n}`),
    'each gets its own answer',
  )
  t.equal(transactions(), 2)
  t.same(numbersOf(), [[0], numbersUpTo(51).slice(1)], 'in the order in which they came')
  t.same(await stored(), numbersUpTo(51))

  t.same(await submitAll([{ n: 51 }, { n: 52 }]), [wrote(51), wrote(52)], 'it goes on when there is something again')
  t.same(numbersOf().at(-1), [51, 52])
})

t.test('an answer comes after the commit, not before it', async (t) => {
  const { submit, stored } = await numbers(t)
  const seen = await submit({ n: 1 }).then(stored)
  t.same(seen, [1])
})

t.test('one alone waits for nobody and for no timer', async (t) => {
  const { submit, transactions } = await numbers(t)
  for (const n of [1, 2]) {
    const answer = submit({ n })
    t.equal(transactions(), n - 1)
    await nextTurn()
    t.equal(transactions(), n, 'its transaction begins in the next turn of the event loop')
    await answer
  }
})

t.test('all of one turn of the event loop are in the first batch', async (t) => {
  const { submit, numbersOf, transactions } = await numbers(t)
  const answers = [submit({ n: 1 })]
  await Promise.resolve()
  answers.push(submit({ n: 2 }))
  await new Promise<void>((resolve) => process.nextTick(resolve))
  answers.push(submit({ n: 3 }))
  await Promise.all(answers)
  t.same(numbersOf(), [[1, 2, 3]])
  t.equal(transactions(), 1)
})

t.test('who spoils a batch of 64 fails alone, and the others are written once', async (t) => {
  for (const spoilers of [[0], [31], [63], [20, 21], [5, 50]]) {
    const { db, submitAll, transactions, stored } = await numbers(t)
    await db.command({ collMod: 'things', validator: { n: { $nin: spoilers } } })
    const answers = await submitAll(upTo(64))
    for (const [n, answer] of answers.entries()) {
      if (spoilers.includes(n)) t.match(answer, { status: 'rejected', reason: { code: 121 } }, `${n} is refused`)
      else if (answer.status !== 'fulfilled' || answer.value !== `wrote ${n}`) t.fail(`${n} is not written`)
    }
    t.same(
      await stored(),
      numbersUpTo(64).filter((n) => !spoilers.includes(n)),
    )
    // One for all, and two for each time that a spoiler's part is halved.
    const most = 1 + 12 * spoilers.length
    t.ok(transactions() <= most, `${transactions()} transactions, ${most} at most`)
    t.match(await submitAll([{ n: 64 }]), [wrote(64)], 'and it goes on')
  }
})

t.test('what conflicts is run again whole', async (t) => {
  const { db, client, submitAll, batches, transactions, stored } = await numbers(t, {
    before: (_, session) => db.collection('others').updateOne({}, { $inc: { n: 1 } }, { session }),
  })
  await db.collection('others').insertOne({ n: 0 })
  const holder = client.startSession()
  holder.startTransaction()
  await db.collection('others').updateOne({}, { $set: { held: true } }, { session: holder })
  const answers = submitAll(upTo(8))
  await until(() => batches.length >= 4)
  await holder.commitTransaction()
  await holder.endSession()
  t.same(await answers, numbersUpTo(8).map(wrote))
  t.same(new Set(batches.map(({ length }) => length)), new Set([8]), `${batches.length} times all of them`)
  t.equal(transactions(), 1, 'by transact itself')
  t.same(await stored(), numbersUpTo(8))
  t.match(await db.collection('others').findOne(), { n: 1, held: true })
})

t.test('what had no answer is given again whole, marked, and before what came later', async (t) => {
  const lost = new MongoNetworkError('the connection broke')
  const held = gate()
  const { submit, submitAll, batches, numbersOf, stored } = await numbers(t, {
    instead: (transact, attempt) => async (work, deadline) => {
      const result = await transact(work, deadline)
      if (attempt > 1) return result
      await held.passed()
      throw lost
    },
  })
  const answers = submitAll(upTo(8))
  await until(() => batches.length === 1)
  const later = submit({ n: 8 })
  held.open()
  t.same(await answers, numbersUpTo(8).map(wrote))
  t.equal(await later, 'wrote 8')
  t.same(numbersOf(), [numbersUpTo(8), numbersUpTo(9), numbersUpTo(9)], 'never halved, in the old order')
  t.same(
    batches.map((items) => items.filter(({ again }) => again).length),
    [0, 8, 9],
    'marked',
  )
  t.same(await stored(), numbersUpTo(9), 'so each is written once')
})

t.test('a batch has 500 items and 1 MB at most', async (t) => {
  const { submitAll, numbersOf, batches } = await numbers(t, { writes: false })
  const answers = await submitAll(upTo(1_201))
  t.ok(answers.every(({ status }) => status === 'fulfilled'))
  t.same(
    batches.map(({ length }) => length),
    [500, 500, 201],
  )
  t.same(numbersOf().flat(), numbersUpTo(1_201), 'in their order')

  const sizes = async (...sizes: number[]) => {
    batches.length = 0
    await submitAll(sizes.map((size, n) => ({ n, size })))
    return batches.map((items) => items.map(({ size }) => size))
  }
  const third = 300_000
  t.same(await sizes(third, third, third, third, third, third, third), [
    [third, third, third],
    [third, third, third],
    [third],
  ])
  t.same(await sizes(400_000, 600_000, 1), [[400_000, 600_000], [1]], '1 MB is not too much')
  t.same(await sizes(1, 1_500_000, 1), [[1], [1_500_000], [1]], 'what is larger goes alone')
  t.same(await sizes(1_500_000), [[1_500_000]])
})

t.test('who runs out of time is told so alone; the younger ones are written', { timeout: 120_000 }, async (t) => {
  const { submit, batches, numbersOf, stored } = await numbers(t, {
    before: (_, __, run) => (run === 1 ? delay(1_300) : undefined),
  })
  const start = performance.now()
  const old = submit({ n: 1 }, start + 1_000).catch((error: unknown) => error)
  const young = submit({ n: 2 })
  await until(() => batches.length === 1)
  const youngest = submit({ n: 3 })
  t.type(await old, TransactionTimeoutError)
  t.equal(await young, 'wrote 2')
  t.equal(await youngest, 'wrote 3')
  t.same(numbersOf(), [
    [1, 2],
    [2, 3],
  ])
  t.same(batches.at(-1), [{ n: 2, again: true }, { n: 3 }], 'who was given before is marked')
  t.same(await stored(), [2, 3], 'and nothing was committed after its time')
})

t.test('who has less time left than a commit may need is not begun with', async (t) => {
  const { submit, numbersOf, stored } = await numbers(t)
  const [late, punctual] = await Promise.allSettled([submit({ n: 1 }, performance.now() + 100), submit({ n: 2 })])
  t.match(late, { status: 'rejected', reason: TransactionTimeoutError })
  t.match(punctual, wrote(2))
  t.same(numbersOf(), [[2]])
  t.same(await stored(), [2])
})

t.test(
  'a MongoDB that does not answer: an error in about 5 seconds, then it goes on',
  { timeout: 120_000 },
  async (t) => {
    const { uri, ...auth } = (await freshDatabase(t)).connection
    const proxy = await cuttableProxy(t, Number(new URL(uri).port))
    // Direct: the replica set's own address would lead around the proxy.
    const direct = `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`
    const client = new MongoClient(direct, { auth, authSource: 'admin' })
    t.teardown(() => client.close())
    const { submit, stored } = await numbers(t, { client })
    await submit({ n: 0 })

    proxy.cut({ command: 'insert', when: 'never', times: 1 })
    const start = performance.now()
    const hung = submit({ n: 1 }).catch((error: unknown) => error)
    await until(() => proxy.cuts() === 1)
    await delay(1_000)
    const next = submit({ n: 2 })
    t.type(await hung, TransactionTimeoutError)
    const took = performance.now() - start
    t.ok(took > 4_000 && took < 30_000, `it took ${took.toFixed()} ms`)
    t.equal(await next, 'wrote 2')
    t.equal(await submit({ n: 3 }), 'wrote 3')
    t.same(await stored(), [0, 2, 3])
  },
)

t.test('between two tries it waits at random, for 40 ms at most', { timeout: 120_000 }, async (t) => {
  const { random } = Math
  t.teardown(() => {
    Math.random = random
  })
  /** The shortest of several waits: a busy machine makes them longer, but hardly all of them. */
  const shortest = async (chance: number, attempt: number) => {
    Math.random = () => chance
    const waits: number[] = []
    for (let n = 0; n < 8; n += 1) {
      const start = performance.now()
      await delayRetry(attempt)
      waits.push(performance.now() - start)
    }
    return Math.min(...waits)
  }
  const longest = await shortest(0.999, Number.POSITIVE_INFINITY)
  t.ok(longest > 35 && longest < 80, `${longest.toFixed()} ms after many tries`)
  const early = await shortest(0.999, 3)
  t.ok(early < 20, `${early.toFixed()} ms after three`)
  const lucky = await shortest(0, Number.POSITIVE_INFINITY)
  t.ok(lucky < 20, `${lucky.toFixed()} ms by chance`)

  /** How often a batch is begun in a second while nobody answers. */
  const tries = async (chance: number) => {
    const { submit, transactions } = await numbers(t, {
      instead: () => async () => {
        throw new MongoNetworkError('nobody is there')
      },
    })
    Math.random = () => chance
    await t.rejects(submit({ n: 1 }, performance.now() + 1_250), TransactionTimeoutError)
    return transactions()
  }
  const patient = await tries(0.999)
  t.ok(patient >= 2 && patient <= 30, `${patient} tries`)
  const hasty = await tries(0.1)
  t.ok(hasty > patient, `${hasty} tries`)
})

t.test('more than 20,000 are not let wait', async (t) => {
  const held = gate()
  const { submit, submitAll, batches } = await numbers(t, { before: () => held.passed(), writes: false })
  const first = submit({ n: 0 })
  await until(() => batches.length === 1)
  const waiting = submitAll(upTo(20_000))
  await t.rejects(submit({ n: 20_000 }), OverloadedError, 'it is told at once, while the others wait')
  t.equal(batches.length, 1)
  held.open()
  await first
  const answers = await waiting
  t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 20_000, 'who waited is served')
  t.equal(await submit({ n: 20_001 }), 'wrote 20001', 'and then there is room again')
})

t.test('a duplicate key', async (t) => {
  /** What a batch looks up and does not find, a twin in another process may insert before it does. */
  async function unique(t: Test, before: (items: Batch, session: ClientSession, run: number) => unknown) {
    const numbered = await numbers(t, { before })
    await numbered.db.collection('things').createIndex({ n: 1 }, { unique: true })
    return numbered
  }

  t.test('is run again once, whole, and then sees what was inserted', async (t) => {
    const twin = await unique(t, async (_, session, run) => {
      // The second run looks; the first one is as blind as one whose snapshot is older.
      if (run === 1) await twin.db.collection('things').insertOne({ n: 5 }, { session })
    })
    t.same(await twin.submitAll(upTo(64)), numbersUpTo(64).map(wrote))
    t.same(
      twin.batches.map(({ length }) => length),
      [64, 64],
    )
    t.same(await twin.stored(), numbersUpTo(64))
  })

  t.test('that remains is halved until it stands alone', async (t) => {
    const { db, submitAll, batches, transactions, stored } = await unique(t, () => undefined)
    await db.collection('things').insertOne({ n: 40 })
    const answers = await submitAll(upTo(64))
    t.same(
      batches.slice(0, 2).map(({ length }) => length),
      [64, 64],
    )
    for (const [n, answer] of answers.entries()) {
      if (n === 40) t.match(answer, { status: 'rejected', reason: { code: 11000 } })
      else if (answer.status !== 'fulfilled') t.fail(`${n} is not written`)
    }
    t.same(await stored(), numbersUpTo(64), 'each once')
    // Two for each part that has it in it, one for each that has not.
    t.ok(transactions() <= 20, `${transactions()} transactions`)
  })
})
