import type { AnyBulkWriteOperation, UUID } from 'mongodb'
import { timeOf, toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import { addressKey } from '../http/client-address.ts'
import type { BatchContext } from '../writer/batch-context.ts'
import type { WriteOperation } from '../writer/operation.ts'
import { type ActivityDocument, activityIn, hourMs, loginFailed, trim } from './model.ts'

/** @property id - a UUIDv7 of the failure's time: it identifies a retry, and the item that this command may create */
export type RecordFailureCommand = { id: string; account: string; ip: string; userAgent: string; retry?: boolean }

export type RecordFailureResult = { outcome: 'recorded' | 'account-not-found' }

/** Failed logins of an account from one address within an hour share an item. */
export const recordFailure: WriteOperation<RecordFailureCommand, RecordFailureResult> = {
  name: 'recordFailure',
  key: ({ account }) => account,
  actor: ({ account }) => account,
  apply: applyFailures,
}

/** An item lists the failures of its last minute: no command is retried for so long, even if clocks differ. */
const recentMs = 60_000

type Item = { first: RecordFailureCommand; ids: string[]; account: UUID; address: string; current?: ActivityDocument }

const nameOf = (account: UUID | string, address: string) => `${account} ${address}`

/** The retries whose first submission was applied. */
async function readAlreadyApplied(
  { db, session }: BatchContext,
  commands: readonly RecordFailureCommand[],
): Promise<ReadonlySet<string>> {
  const retries = commands.filter(({ retry }) => retry)
  if (retries.length === 0) return new Set()
  const account = { $in: retries.map((command) => toUuid(command.account)) }
  const recent = { $in: retries.map(({ id }) => toUuid(id)) }
  const found = await activityIn(db)
    .find({ account, hour: { $exists: true }, recent }, { session, projection: { recent: 1 } })
    .toArray()
  return new Set(found.flatMap((item) => item.recent?.map(String) ?? []))
}

async function readExisting(
  { db, session }: BatchContext,
  commands: readonly RecordFailureCommand[],
): Promise<ReadonlySet<string>> {
  const ids = [...new Set(commands.map(({ account }) => account))].map(toUuid)
  const found = await db
    .collection<{ _id: UUID }>('accounts')
    .find({ _id: { $in: ids } }, { session, projection: { _id: 1 }, ...singleBatch(ids.length) })
    .toArray()
  return new Set(found.map(({ _id }) => _id.toString()))
}

async function readItems({ db, session }: BatchContext, commands: readonly RecordFailureCommand[]): Promise<Item[]> {
  const items = new Map<string, Item>()
  for (const command of commands) {
    const address = addressKey(command.ip)
    const name = nameOf(command.account, address)
    const item = items.get(name) ?? { first: command, ids: [], account: toUuid(command.account), address }
    item.ids.push(command.id)
    items.set(name, item)
  }
  if (items.size === 0) return []
  const current = [...items.values()].map(({ first, account, address }) => {
    const at = { $gt: new Date(timeOf(first.id).getTime() - hourMs) }
    return { account, address, hour: { $exists: true }, at }
  })
  for (const found of await activityIn(db).find({ $or: current }, { session }).toArray()) {
    const item = items.get(nameOf(found.account, found.address ?? ''))
    if (item) item.current = found
  }
  return [...items.values()]
}

function toBulkWrite({ first, ids, account, address, current }: Item): AnyBulkWriteOperation<ActivityDocument> {
  const at = timeOf(first.id)
  const recentFrom = at.getTime() - recentMs
  const earlier = (current?.recent ?? []).filter((id) => timeOf(id.toString()).getTime() > recentFrom)
  const recent = [...earlier, ...ids.map(toUuid)]
  if (current) {
    return {
      updateOne: { filter: { _id: current._id, account }, update: { $inc: { count: ids.length }, $set: { recent } } },
    }
  }
  const { ip, userAgent } = first
  const counted = { address, hour: Math.floor(at.getTime() / hourMs), count: ids.length, recent }
  return {
    insertOne: { document: { _id: toUuid(first.id), account, event: loginFailed, ip, userAgent, at, ...counted } },
  }
}

/** An unknown name costs what a known one does: the same queries, and a write, although it matches nothing. */
const toUnmatched = ({ first, account }: Item): AnyBulkWriteOperation<ActivityDocument> => ({
  updateOne: { filter: { _id: toUuid(first.id), account }, update: { $inc: { count: 1 } } },
})

async function applyFailures(
  context: BatchContext,
  commands: readonly RecordFailureCommand[],
): Promise<RecordFailureResult[]> {
  const { db, session } = context
  const alreadyApplied = await readAlreadyApplied(context, commands)
  const existing = await readExisting(context, commands)
  const items = await readItems(
    context,
    commands.filter(({ id }) => !alreadyApplied.has(id)),
  )
  if (items.length > 0) {
    const writes = items.map((item) => (existing.has(item.first.account) ? toBulkWrite(item) : toUnmatched(item)))
    await activityIn(db).bulkWrite(writes, { session, ordered: false })
  }
  const grown = new Set(items.filter(({ current }) => !current).map(({ first }) => first.account))
  for (const account of grown) await trim(db, toUuid(account), 'failures', session)
  return commands.map(({ account }) => ({ outcome: existing.has(account) ? 'recorded' : 'account-not-found' }))
}
