import { randomBytes } from 'node:crypto'
import type { Binary, ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { maxVerified } from './presented.ts'
import { hashPart, sameHash } from './refresh-token.ts'

type DeviceDocument = { _id: { account: UUID; device: Binary }; account: UUID; lastUsedAt: Date }

const maxDevices = 20
const lifetimeSeconds = 400 * 86_400
const form = /^[\w-]{43}$/

export type RememberResult = { outcome: 'known' | 'added'; token: string }

export const deviceIndexes = [
  { key: { account: 1, lastUsedAt: -1 } },
  { key: { lastUsedAt: 1 }, expireAfterSeconds: lifetimeSeconds },
] as const

/** Known devices: the 20 browsers that an account last logged in from, as hashes of a random cookie. */
export function deviceStore(db: Db) {
  const devices: Collection<DeviceDocument> = db.collection('devices')
  const key = (account: string, token: string) => ({
    account: toUuid(account),
    device: hashPart(Buffer.from(token)),
  })

  async function findKnown(account: string, presented: readonly string[], session?: ClientSession) {
    const candidates = presented
      .filter((token) => form.test(token))
      .slice(0, maxVerified)
      .map((token) => ({ token, _id: key(account, token) }))
    if (candidates.length === 0) return undefined
    const filter = { _id: { $in: candidates.map(({ _id }) => _id) }, account: toUuid(account) }
    const found = await devices.find(filter, { projection: { _id: 1 }, ...(session && { session }) }).toArray()
    return candidates.find(({ _id }) => found.some((known) => sameHash(known._id.device, _id.device)))
  }

  return {
    /** The throttle key of the first known device among these cookies; undefined if none is known. */
    async find(account: string, presented: readonly string[]): Promise<string | undefined> {
      const known = await findKnown(account, presented)
      return known && `${account}:${Buffer.from(known._id.device.buffer).toString('base64url')}`
    },

    async list(account: string): Promise<{ lastUsedAt: Date }[]> {
      const found = await devices
        .find({ account: toUuid(account) }, { projection: { _id: 0, lastUsedAt: 1 } })
        .sort({ lastUsedAt: -1 })
        .toArray()
      return found.map(({ lastUsedAt }) => ({ lastUsedAt }))
    },

    async deleteAll(account: string, session: ClientSession): Promise<void> {
      await devices.deleteMany({ account: toUuid(account) }, { session })
    },

    /** Records a login from the device that presented these cookies. @returns the token for its cookie. */
    async remember(account: string, presented: readonly string[], session: ClientSession): Promise<RememberResult> {
      const lastUsedAt = new Date()
      const found = await findKnown(account, presented, session)
      if (found) {
        const filter = { _id: found._id, account: found._id.account }
        const known = await devices.updateOne(filter, { $set: { lastUsedAt } }, { session })
        if (known.matchedCount === 1) return { outcome: 'known', token: found.token }
      }
      const token = randomBytes(32).toString('base64url')
      const _id = key(account, token)
      const surplus = await devices
        .find({ account: _id.account }, { session, projection: { _id: 1 } })
        .sort({ lastUsedAt: -1 })
        .skip(maxDevices - 1)
        .toArray()
      if (surplus.length > 0) {
        const ids = surplus.map((device) => device._id)
        await devices.deleteMany({ _id: { $in: ids }, account: _id.account }, { session })
      }
      await devices.insertOne({ _id, account: _id.account, lastUsedAt }, { session })
      return { outcome: 'added', token }
    },
  }
}

export type DeviceStore = ReturnType<typeof deviceStore>
