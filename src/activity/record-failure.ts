import type { AnyBulkWriteOperation, UUID } from 'mongodb'
import { timeOf, toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { BatchContext } from '../writer/batch-context.ts'
import type { WriteOperation } from '../writer/operation.ts'
import { type CountedItem, foldInto, readNewest } from './fold.ts'
import { type ActivityDocument, activityIn } from './model.ts'
import { type FailureEvent, failureEvents } from './schema.ts'
import { trimActivity } from './trim.ts'

/** @property id - a UUIDv7 of the failure's time: it identifies a retry, and the item that this command may create */
export type RecordFailureCommand = {
  id: string
  account: string
  ip: string
  userAgent: string
  event?: FailureEvent
  retry?: boolean
}

export type RecordFailureResult = { outcome: 'recorded' | 'account-not-found' }

/** Records attempts that were refused. Repeats share an item: see fold.ts. */
export const recordFailure: WriteOperation<RecordFailureCommand, RecordFailureResult> = {
  name: 'recordFailure',
  key: ({ account }) => account,
  actor: ({ account }) => account,
  apply: applyFailures,
}

/** An item lists the failures of its last minute: no command is retried for so long, even if clocks differ. */
const recentMs = 60_000

const accountsOf = (commands: readonly RecordFailureCommand[]) =>
  [...new Set(commands.map(({ account }) => account))].map(toUuid)

async function readAlreadyApplied(
  { db, session }: BatchContext,
  commands: readonly RecordFailureCommand[],
): Promise<ReadonlySet<string>> {
  const retries = commands.filter(({ retry }) => retry)
  if (retries.length === 0) return new Set()
  const recent = { $in: retries.map(({ id }) => toUuid(id)) }
  const found = await activityIn(db)
    .find(
      { account: { $in: accountsOf(retries) }, event: { $in: [...failureEvents] }, recent },
      { session, projection: { recent: 1 } },
    )
    .toArray()
  return new Set(found.flatMap((item) => item.recent?.map(String) ?? []))
}

async function readExisting({ db, session }: BatchContext, ids: readonly UUID[]): Promise<ReadonlySet<string>> {
  const found = await db
    .collection<{ _id: UUID }>('accounts')
    .find({ _id: { $in: [...ids] } }, { session, projection: { _id: 1 }, ...singleBatch(ids.length) })
    .toArray()
  return new Set(found.map(({ _id }) => _id.toString()))
}

type FailureItem = CountedItem & { recent: UUID[] }

function toItem({ id, account, event = 'login-failed', ip, userAgent }: RecordFailureCommand): CountedItem {
  return { _id: toUuid(id), account: toUuid(account), event, ip, userAgent, at: timeOf(id), count: 1 }
}

/** @returns the items that these commands change or create, each as it becomes */
function foldAll(commands: readonly RecordFailureCommand[], newest: Map<string, ActivityDocument>): FailureItem[] {
  const changed = new Map<string, FailureItem>()
  for (const command of commands.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const own = toItem(command)
    const item = foldInto(newest.get(command.account), own) ?? own
    const recentFrom = own.at.getTime() - recentMs
    const earlier = (item.recent ?? []).filter((id) => timeOf(id.toString()).getTime() > recentFrom)
    const next = { ...item, recent: [...earlier, own._id] }
    newest.set(command.account, next)
    changed.set(next._id.toString(), next)
  }
  return [...changed.values()]
}

/** An unknown name costs what a known one does: the same queries, and a write, although it matches nothing. */
const toUnmatched = ({ _id, account }: ActivityDocument): AnyBulkWriteOperation<ActivityDocument> => ({
  updateOne: { filter: { _id, account }, update: { $inc: { count: 1 } } },
})

async function applyFailures(
  context: BatchContext,
  commands: readonly RecordFailureCommand[],
): Promise<RecordFailureResult[]> {
  const { db, session } = context
  const alreadyApplied = await readAlreadyApplied(context, commands)
  const accounts = accountsOf(commands)
  const existing = await readExisting(context, accounts)
  const newest = await readNewest(db, accounts, session)
  const stored = new Set([...newest.values()].map(({ _id }) => _id.toString()))
  const items = foldAll(
    commands.filter(({ id }) => !alreadyApplied.has(id)),
    newest,
  )
  const isStored = ({ _id }: ActivityDocument) => stored.has(_id.toString())
  const isOfAccount = ({ account }: ActivityDocument) => existing.has(account.toString())
  const toWrite = (item: FailureItem): AnyBulkWriteOperation<ActivityDocument> => {
    const { _id, account, at, ip, count, recent } = item
    if (!isOfAccount(item)) return toUnmatched(item)
    if (!isStored(item)) return { insertOne: { document: item } }
    return { updateOne: { filter: { _id, account }, update: { $set: { at, ip, count, recent } } } }
  }
  if (items.length > 0) await activityIn(db).bulkWrite(items.map(toWrite), { session, ordered: false })
  for (const event of failureEvents) {
    const grown = items.filter((item) => item.event === event && !isStored(item))
    if (grown.length === 0) continue
    await trimActivity(
      db,
      grown.map(({ account }) => account),
      event,
      session,
    )
  }
  return commands.map(({ account }) => ({ outcome: existing.has(account) ? 'recorded' : 'account-not-found' }))
}
