import { createHash, randomBytes } from 'node:crypto'
import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'

type DeviceDocument = { _id: { account: UUID; device: Buffer }; account: UUID; lastUsedAt: Date }

const maxDevices = 20
const lifetimeSeconds = 400 * 86_400

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
    device: createHash('sha256').update(token).digest(),
  })
  return {
    /** The throttle key of a known device, from its cookie; undefined for an unknown device. */
    async find(account: string, presented: string | undefined): Promise<string | undefined> {
      if (presented === undefined) return undefined
      const _id = key(account, presented)
      const known = await devices.findOne({ _id, account: _id.account }, { projection: { _id: 1 } })
      return known ? `${account}:${_id.device.toString('base64url')}` : undefined
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

    /** Records a login from the device that presented this cookie. @returns the token for its cookie. */
    async remember(account: string, presented: string | undefined, session: ClientSession): Promise<RememberResult> {
      const lastUsedAt = new Date()
      if (presented !== undefined) {
        const _id = key(account, presented)
        const filter = { _id, account: _id.account }
        const known = await devices.updateOne(filter, { $set: { lastUsedAt } }, { session })
        if (known.matchedCount === 1) return { outcome: 'known', token: presented }
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
