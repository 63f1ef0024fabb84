import type { Db } from 'mongodb'
import t from 'tap'
import { testServer } from '../helper.ts'
import { ask, field } from '../http/wire.ts'
import { drained, mailFolder } from '../mail/mailbox.ts'
import { passkeyEnv } from '../passkeys/ceremonies.ts'
import { requestsEach, type User, writeRecipes } from './write-recipes.ts'

const crowdSize = 20
/** Each makes a transaction run again, or an update wait for one. A request alone has none. */
const maxConflictsEach = 0.5
/** Counters, and leases of mails: MongoDB repeats such an update by itself, and no transaction keeps it waiting. */
const counters = new Set(['attempts', 'outbox', 'throttle'])
const maxConflictsOfCounter = 5

/** Reads that write. */
const writingReads = ['GET /v1/account/export']
/** It takes the accounts away from all others. */
const last = 'DELETE /v1/account'

/** How often writes have met one of another transaction since profiling began, by collection. */
async function conflictsIn(db: Db): Promise<Map<string, number>> {
  const found = await db
    .collection<{ _id: string; count: number }>('system.profile')
    .aggregate<{ _id: string; count: number }>([
      { $match: { ns: { $not: /\.(lastSeen|revocations)$/ } } },
      { $group: { _id: '$ns', count: { $sum: { $ifNull: ['$writeConflicts', { $cond: ['$errCode', 1, 0] }] } } } },
    ])
    .toArray()
  return new Map(found.map(({ _id, count }) => [_id.replace(/^[^.]*\./, ''), count]))
}

/** Of what `work` causes, and the mails that it leads to. */
async function conflictsOf(db: Db, work: () => Promise<void>): Promise<Map<string, number>> {
  const hasConflict = { $or: [{ writeConflicts: { $gt: 0 } }, { errCode: 112 }] }
  await db.command({ profile: 1, filter: hasConflict })
  try {
    await work()
    await drained(db)
  } finally {
    await db.command({ profile: 0, filter: 'unset' })
  }
  const conflicts = await conflictsIn(db)
  await db.dropCollection('system.profile').catch(() => undefined)
  return conflicts
}

t.test('requests that meet in one object do not make each other run again', async (t) => {
  const box = await mailFolder(t)
  const limits = { LIMIT_VERIFICATIONS_PER_ACCOUNT: '1000' }
  const { db, port, url } = await testServer(t, { ...passkeyEnv, ...box.env, ...limits })
  const { recipes, signUpAll, logInAgain } = writeRecipes({ url, port, db, box })

  const document = (await ask(port, 'GET', '/openapi.json')).body
  const operations = Object.entries(field(document, 'paths') ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const writing = operations.filter((operation) => !operation.startsWith('GET ') || writingReads.includes(operation))
  const operationOf = (recipe: string) => recipe.split(' ', 2).join(' ')
  const covered = new Set(Object.keys(recipes).map(operationOf))
  t.same([...covered].toSorted(), writing.toSorted(), 'every operation that writes has a recipe')

  let crowd = await signUpAll(crowdSize)
  const order = [...Object.keys(recipes).filter((name) => name !== last), last]
  for (const name of order) {
    for (const count of [1, crowdSize]) {
      await t.test(
        `${name}: ${requestsEach} at once of ${count === 1 ? 'one account' : `${count} accounts`}`,
        async (t) => {
          for (const collection of ['attempts', 'secondFactors']) await db.collection(collection).deleteMany({})
          const users: User[] = await Promise.all(crowd.slice(0, count).map(logInAgain))
          const [method = '', path = ''] = name.split(' ')
          const requestOf = await recipes[name]?.(users)
          const statuses: number[] = []
          const conflicts = await conflictsOf(db, async () => {
            const send = async (n: number) => {
              const { path: target = path, ...options } = requestOf?.(n) ?? {}
              statuses.push((await ask(port, method, target, options)).status)
            }
            await Promise.all(Array.from({ length: requestsEach }, (_, n) => send(n)))
          })
          for (const [collection, count] of conflicts) {
            const most = counters.has(collection) ? maxConflictsOfCounter : maxConflictsEach
            t.ok(count <= most * requestsEach, `${count} in ${collection}`)
          }
          t.ok(statuses.some((status) => status < 300) || name.includes('wrong'), `some succeed: ${new Set(statuses)}`)
          t.notOk(statuses.includes(500))
        },
      )
      // They are gone.
      if (name === last) crowd = await signUpAll(crowdSize)
    }
  }
})
