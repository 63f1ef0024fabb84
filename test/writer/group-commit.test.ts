import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { type ClientSession, MongoClient, MongoNetworkError, MongoServerError } from 'mongodb'
import t, { type Test } from 'tap'
import { OutcomeUnknownError, OverloadedError, TransactionTimeoutError } from '../../src/database/failures.ts'
import { delayRetry, type Transact, transactor } from '../../src/database/transaction.ts'
import { groupCommit } from '../../src/writer/group-commit.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase } from '../helper.ts'

type Item = { n: number; size?: number; isRetry?: true }
type Batch = readonly Item[]
type NumberDocument = { n: number }

/** A group commit of numbers into a collection, and a record of its batches. */
async function numbersCommit(
  t: Test,
  options: {
    /** runs in each transaction before the batch is written */
    before?: (items: Batch, session: ClientSession, run: number) => unknown
    /** replaces `transact`; `attempt` counts from 0 */
    instead?: (transact: Transact, attempt: number) => Transact
    /** false: the transactions write nothing */
    writes?: boolean
    client?: MongoClient
  } = {},
) {
  const database = await freshDatabase(t)
  const { client = database.client, writes = true } = options
  const db = client.db(database.db.databaseName)
  const collection = await db.createCollection<NumberDocument>('numbers')
  const batches: Batch[] = []
  let transactions = 0
  const real = transactor(client)
  const transact: Transact = (work, ...limits) => {
    const chosen = options.instead?.(real, transactions) ?? real
    transactions += 1
    return chosen(work, ...limits)
  }

  /** Only the lookup of retried numbers prevents duplicates. */
  async function write(items: Batch, session: ClientSession): Promise<string[]> {
    batches.push(items)
    await options.before?.(items, session, batches.length)
    const retries = items.filter(({ isRetry }) => isRetry).map(({ n }) => n)
    const known = retries.length === 0 ? [] : await collection.find({ n: { $in: retries } }, { session }).toArray()
    const fresh = items.filter(({ n }) => !known.some((stored) => stored.n === n))
    if (writes && fresh.length > 0)
      await collection.insertMany(fresh.map(({ n }) => ({ n })) as NumberDocument[], { session })
    return items.map(({ n }) => `wrote ${n}`)
  }

  const { submit } = groupCommit<Item, string>({
    transact,
    apply: write,
    sizeOf: ({ size = 1 }) => size,
    keyOf: ({ n }) => String(n),
    markRetry: (item) => ({ ...item, isRetry: true }),
  })
  return {
    db,
    client,
    submit,
    submitAll: (items: Batch) => Promise.allSettled(items.map((item) => submit(item))),
    batches,
    numbersOf: () => batches.map((items) => items.map(({ n }) => n)),
    transactions: () => transactions,
    stored: async () => (await collection.find().sort({ n: 1 }).toArray()).map(({ n }) => n),
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))
const numbersUpTo = (count: number) => [...Array(count).keys()]
const wrote = (n: number) => ({ status: 'fulfilled', value: `wrote ${n}` })

function gate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: () => promise, open: resolve }
}

const until = (condition: () => boolean) => eventually(condition, { everyMs: 5 })

t.test('items that arrive during a commit share the next transaction, in their order', async (t) => {
  const held = gate()
  const { submit, submitAll, numbersOf, transactions, stored } = await numbersCommit(t, {
    before: (_, __, run) => (run === 1 ? held.opened() : undefined),
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
  t.same(numbersOf(), [[0], numbersUpTo(51).slice(1)], 'in the order of their arrival')
  t.same(await stored(), numbersUpTo(51))

  t.same(await submitAll([{ n: 51 }, { n: 52 }]), [wrote(51), wrote(52)], 'a later submit starts a new batch')
  t.same(numbersOf().at(-1), [51, 52])
})

t.test('an answer comes after its commit', async (t) => {
  const { submit, stored } = await numbersCommit(t)
  const seen = await submit({ n: 1 }).then(stored)
  t.same(seen, [1])
})

t.test('an item on an idle queue starts its transaction in the next turn of the event loop', async (t) => {
  const { submit, transactions } = await numbersCommit(t)
  for (const n of [1, 2]) {
    const answer = submit({ n })
    t.equal(transactions(), n - 1)
    await nextTurn()
    t.equal(transactions(), n)
    await answer
  }
})

t.test('items of one turn of the event loop share a batch', async (t) => {
  const { submit, numbersOf, transactions } = await numbersCommit(t)
  const answers = [submit({ n: 1 })]
  await Promise.resolve()
  answers.push(submit({ n: 2 }))
  await new Promise<void>((resolve) => process.nextTick(resolve))
  answers.push(submit({ n: 3 }))
  await Promise.all(answers)
  t.same(numbersOf(), [[1, 2, 3]])
  t.equal(transactions(), 1)
})

t.test('invalid items in a batch of 64 fail alone, and the others are written once', async (t) => {
  for (const invalid of [[0], [31], [63], [20, 21], [5, 50]]) {
    const { db, submitAll, transactions, stored } = await numbersCommit(t)
    await db.command({ collMod: 'numbers', validator: { n: { $nin: invalid } } })
    const answers = await submitAll(upTo(64))
    for (const [n, answer] of answers.entries()) {
      if (invalid.includes(n)) t.match(answer, { status: 'rejected', reason: { code: 121 } }, `${n} is rejected`)
      else if (answer.status !== 'fulfilled' || answer.value !== `wrote ${n}`) t.fail(`${n} is not written`)
    }
    t.same(
      await stored(),
      numbersUpTo(64).filter((n) => !invalid.includes(n)),
    )
    // One for all, and two for each time that an invalid item's part is halved.
    const most = 1 + 12 * invalid.length
    t.ok(transactions() <= most, `${transactions()} transactions, ${most} at most`)
    t.match(await submitAll([{ n: 64 }]), [wrote(64)], 'later items are written')
  }
})

t.test('a batch whose user MongoDB refuses fails at once, neither retried nor halved', async (t) => {
  const refused = new MongoServerError({ message: 'Authentication failed.', code: 18 })
  const { submitAll, transactions } = await numbersCommit(t, { instead: () => () => Promise.reject(refused) })
  t.same(await submitAll(upTo(3)), Array(3).fill({ status: 'rejected', reason: refused }))
  t.equal(transactions(), 1)
})

t.test('a batch that conflicts runs again complete, in the same transact call', async (t) => {
  const { db, client, submitAll, batches, transactions, stored } = await numbersCommit(t, {
    before: (_, session) => db.collection('contended').updateOne({}, { $inc: { n: 1 } }, { session }),
  })
  await db.collection('contended').insertOne({ n: 0 })
  const holder = client.startSession()
  // Not majority: on a busy machine the batch would run out of conflicts while the holder waits for the journal.
  holder.startTransaction({ writeConcern: { w: 1, journal: false } })
  await db.collection('contended').updateOne({}, { $set: { held: true } }, { session: holder })
  const answers = submitAll(upTo(8))
  await until(() => batches.length >= 2)
  await holder.commitTransaction()
  await holder.endSession()
  t.same(await answers, numbersUpTo(8).map(wrote))
  t.same(new Set(batches.map(({ length }) => length)), new Set([8]), `${batches.length} runs, each with all items`)
  t.equal(transactions(), 1, 'transact itself runs it again')
  t.same(await stored(), numbersUpTo(8))
  t.match(await db.collection('contended').findOne(), { n: 1, held: true })
})

t.test(
  'a batch whose commit had no answer is retried complete, marked as a retry, and before later items',
  async (t) => {
    const lost = new MongoNetworkError('the connection broke')
    const held = gate()
    const { submit, submitAll, batches, numbersOf, stored } = await numbersCommit(t, {
      instead: (transact, attempt) => async (work, deadline) => {
        const result = await transact(work, deadline)
        if (attempt > 1) return result
        await held.opened()
        throw lost
      },
    })
    const answers = submitAll(upTo(8))
    await until(() => batches.length === 1)
    const later = submit({ n: 8 })
    held.open()
    t.same(await answers, numbersUpTo(8).map(wrote))
    t.equal(await later, 'wrote 8')
    t.same(numbersOf(), [numbersUpTo(8), numbersUpTo(9), numbersUpTo(9)], 'never halved, in the same order')
    t.same(
      batches.map((items) => items.filter(({ isRetry }) => isRetry).length),
      [0, 8, 9],
      'marked as retries',
    )
    t.same(await stored(), numbersUpTo(9), 'each is written once')
  },
)

t.test('a batch has at most 500 items and 1 MB', async (t) => {
  const { submitAll, numbersOf, batches } = await numbersCommit(t, { writes: false })
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
  t.same(await sizes(400_000, 600_000, 1), [[400_000, 600_000], [1]], 'exactly 1 MB fits')
  t.same(await sizes(1, 1_500_000, 1), [[1], [1_500_000], [1]], 'a larger item has its own batch')
  t.same(await sizes(1_500_000), [[1_500_000]])
})

t.test(
  'an item whose deadline passes during a commit fails alone; the others of its batch are retried and written',
  { timeout: 120_000 },
  async (t) => {
    const { submit, batches, numbersOf, stored } = await numbersCommit(t, {
      before: (_, __, run) => (run === 1 ? delay(1_300) : undefined),
    })
    const start = performance.now()
    const expiring = submit({ n: 1 }, start + 1_000).catch((error: unknown) => error)
    const waiting = submit({ n: 2 })
    await until(() => batches.length === 1)
    const later = submit({ n: 3 })
    t.type(await expiring, TransactionTimeoutError)
    t.equal(await waiting, 'wrote 2')
    t.equal(await later, 'wrote 3')
    t.same(numbersOf(), [
      [1, 2],
      [2, 3],
    ])
    t.same(batches.at(-1), [{ n: 2, isRetry: true }, { n: 3 }], 'the retried item is marked')
    t.same(await stored(), [2, 3], 'nothing is committed after its deadline')
  },
)

t.test(
  'an item whose commit had no answer fails as unknown, whatever its later tries say; one never tried does not',
  async (t) => {
    const held = gate()
    const { submit, transactions } = await numbersCommit(t, {
      instead: (_, attempt) => async () => {
        if (attempt > 0) throw new MongoNetworkError('connection refused')
        await held.opened()
        throw new OutcomeUnknownError('no reply')
      },
    })
    const deadline = performance.now() + 2_000
    const tried = submit({ n: 1 }, deadline).catch((error: unknown) => error)
    await until(() => transactions() === 1)
    const untried = submit({ n: 2 }, performance.now()).catch((error: unknown) => error)
    held.open()
    t.type(await tried, OutcomeUnknownError)
    t.type(await untried, TransactionTimeoutError)
  },
)

t.test('an item with less time left than a commit may take fails without a transaction', async (t) => {
  const { submit, numbersOf, stored } = await numbersCommit(t)
  const [late, punctual] = await Promise.allSettled([submit({ n: 1 }, performance.now() + 100), submit({ n: 2 })])
  t.match(late, { status: 'rejected', reason: TransactionTimeoutError })
  t.match(punctual, wrote(2))
  t.same(numbersOf(), [[2]])
  t.same(await stored(), [2])
})

t.test(
  'a MongoDB that does not answer fails an item in about 5 seconds, and later items are written',
  { timeout: 120_000 },
  async (t) => {
    const { uri, ...auth } = (await freshDatabase(t)).connection
    const proxy = await cuttableProxy(t, Number(new URL(uri).port))
    const client = new MongoClient(proxy.uri(''), { auth, authSource: 'admin' })
    t.teardown(() => client.close())
    const { submit, stored } = await numbersCommit(t, { client })
    await submit({ n: 0 })

    proxy.cut({ command: 'insert', when: 'never', times: 1 })
    const start = performance.now()
    const hung = submit({ n: 1 }).catch((error: unknown) => error)
    await until(() => proxy.cuts() === 1)
    await delay(1_000)
    const next = submit({ n: 2 })
    t.type(await hung, TransactionTimeoutError)
    const tookMs = performance.now() - start
    t.ok(tookMs > 4_000 && tookMs < 30_000, `it took ${tookMs.toFixed()} ms`)
    t.equal(await next, 'wrote 2')
    t.equal(await submit({ n: 3 }), 'wrote 3')
    t.same(await stored(), [0, 2, 3])
  },
)

t.test('the delay between two attempts is random and at most 40 ms', { timeout: 120_000 }, async (t) => {
  const { random } = Math
  t.teardown(() => {
    Math.random = random
  })
  /** The shortest of several delays, because a busy machine lengthens some of them. */
  const shortestDelayMs = async (chance: number, attempt: number) => {
    Math.random = () => chance
    const delaysMs: number[] = []
    for (let n = 0; n < 8; n += 1) {
      const start = performance.now()
      await delayRetry(attempt)
      delaysMs.push(performance.now() - start)
    }
    return Math.min(...delaysMs)
  }
  const longest = await shortestDelayMs(0.999, Number.POSITIVE_INFINITY)
  t.ok(longest > 35 && longest < 80, `${longest.toFixed()} ms after many attempts`)
  const early = await shortestDelayMs(0.999, 3)
  t.ok(early < 20, `${early.toFixed()} ms after three`)
  const lucky = await shortestDelayMs(0, Number.POSITIVE_INFINITY)
  t.ok(lucky < 20, `${lucky.toFixed()} ms by chance`)

  /** How many attempts a batch makes in about a second while each fails. */
  const attemptsWith = async (chance: number) => {
    const { submit, transactions } = await numbersCommit(t, {
      instead: () => async () => {
        throw new MongoNetworkError('connection refused')
      },
    })
    Math.random = () => chance
    await t.rejects(submit({ n: 1 }, performance.now() + 1_250), TransactionTimeoutError)
    return transactions()
  }
  const slow = await attemptsWith(0.999)
  t.ok(slow >= 2 && slow <= 30, `${slow} attempts with long delays`)
  const fast = await attemptsWith(0.1)
  t.ok(fast > slow, `${fast} attempts with short delays`)
})

t.test('more than 20,000 waiting items: the next is refused at once', async (t) => {
  const held = gate()
  const { submit, submitAll, batches } = await numbersCommit(t, { before: () => held.opened(), writes: false })
  const first = submit({ n: 0 })
  await until(() => batches.length === 1)
  const waiting = submitAll(upTo(20_000))
  await t.rejects(submit({ n: 20_000 }), OverloadedError, 'refused while the others wait')
  t.equal(batches.length, 1)
  held.open()
  await first
  const answers = await waiting
  t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 20_000, 'all that waited are written')
  t.equal(await submit({ n: 20_001 }), 'wrote 20001', 'after that the queue accepts items again')
})

t.test('a batch with a duplicate key', async (t) => {
  /** Numbers with a unique index: another process may insert one after a batch has looked for it. */
  async function unique(t: Test, before: (items: Batch, session: ClientSession, run: number) => unknown) {
    const commit = await numbersCommit(t, { before })
    await commit.db.collection('numbers').createIndex({ n: 1 }, { unique: true })
    return commit
  }

  t.test('runs again once, complete, and sees the concurrent insert', async (t) => {
    const commit = await unique(t, async (_, session, run) => {
      // Inserted within the first run's transaction, as if its snapshot were older.
      if (run === 1) await commit.db.collection('numbers').insertOne({ n: 5 }, { session })
    })
    t.same(await commit.submitAll(upTo(64)), numbersUpTo(64).map(wrote))
    t.same(
      commit.batches.map(({ length }) => length),
      [64, 64],
    )
    t.same(await commit.stored(), numbersUpTo(64))
  })

  t.test('is halved until the duplicate is alone, if it remains', async (t) => {
    const { db, submitAll, batches, transactions, stored } = await unique(t, () => undefined)
    await db.collection('numbers').insertOne({ n: 40 })
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
    // Two for each part with the duplicate, one for each without.
    t.ok(transactions() <= 20, `${transactions()} transactions`)
  })
})
