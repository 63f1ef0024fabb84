import { randomBytes } from 'node:crypto'
import type { Binary, ClientSession, Collection, Db, UUID } from 'mongodb'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import type { ClientInfo } from '../http/client-info.ts'
import { deviceNameOf } from './device-name.ts'
import { maxVerified } from './presented.ts'
import { hashPart, sameHash } from './refresh-token.ts'

type DeviceDocument = {
  _id: { account: UUID; device: Binary }
  account: UUID
  /** Of the first login. Documents of earlier versions lack it, `name` and `firstIp` until their next login. */
  id?: UUID
  name?: string
  firstIp?: string
  lastUsedAt: Date
  /** Until then, the browser logs in without a second factor. */
  trustedUntil?: Date
}

export type Device = {
  id: string
  name: string
  current: boolean
  firstSeenAt: Date
  firstIp: string
  lastUsedAt: Date
  trustedUntil: Date | null
}

/** @property presented - the cookies of its name. @property trust - see `trustedUntil` */
export type Browser = { presented: readonly string[]; client: ClientInfo; trust?: boolean | undefined }

const maxDevices = 20
const lifetimeSeconds = 400 * 86_400
const trustMs = 30 * 86_400_000
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

  const candidatesOf = (account: string, presented: readonly string[]) =>
    presented
      .filter((token) => form.test(token))
      .slice(0, maxVerified)
      .map((token) => ({ token, _id: key(account, token) }))

  async function findKnown(account: string, presented: readonly string[], session?: ClientSession) {
    const candidates = candidatesOf(account, presented)
    if (candidates.length === 0) return undefined
    const filter = { _id: { $in: candidates.map(({ _id }) => _id) }, account: toUuid(account) }
    const projection = { _id: 1, trustedUntil: 1 }
    const found = await devices.find(filter, { projection, ...(session && { session }) }).toArray()
    for (const { token, _id } of candidates) {
      const known = found.find((device) => sameHash(device._id.device, _id.device))
      if (known) return { token, ...known }
    }
    return undefined
  }

  return {
    /** The throttle key of the first known device among these cookies; undefined if none is known. */
    async find(account: string, presented: readonly string[]): Promise<string | undefined> {
      const known = await findKnown(account, presented)
      return known && `${account}:${Buffer.from(known._id.device.buffer).toString('base64url')}`
    },

    /** Whether the first known device among these cookies logs in without a second factor. */
    async isTrusted(account: string, presented: readonly string[]): Promise<boolean> {
      const { trustedUntil } = (await findKnown(account, presented)) ?? {}
      return trustedUntil !== undefined && trustedUntil > new Date()
    },

    /** Newest first. @param presented - the cookies by which a client is one of them */
    async list(account: string, presented: readonly string[] = []): Promise<Device[]> {
      const found = await devices.find({ account: toUuid(account) }).toArray()
      const current = candidatesOf(account, presented).map(({ _id }) => _id.device)
      const isCurrent = ({ _id }: DeviceDocument) => current.some((device) => sameHash(device, _id.device))
      const now = new Date()
      return found
        .flatMap((device): Device[] => {
          const { id, name = '', firstIp = '', lastUsedAt, trustedUntil } = device
          if (id === undefined) return []
          const trust = trustedUntil !== undefined && trustedUntil > now ? trustedUntil : null
          const ofDevice = { name, firstIp, lastUsedAt, trustedUntil: trust, current: isCurrent(device) }
          return [{ id: id.toString(), firstSeenAt: timeOf(id.toString()), ...ofDevice }]
        })
        .sort((one, other) => (one.id < other.id ? 1 : -1))
    },

    async rename(
      account: string,
      id: string,
      name: string,
      session: ClientSession,
    ): Promise<{ outcome: 'renamed' | 'not-found' }> {
      const own = { account: toUuid(account), id: toUuid(id) }
      const { matchedCount } = await devices.updateOne(own, { $set: { name } }, { session })
      return { outcome: matchedCount === 1 ? 'renamed' : 'not-found' }
    },

    async delete(account: string, id: string, session: ClientSession): Promise<{ outcome: 'deleted' | 'not-found' }> {
      const { deletedCount } = await devices.deleteOne({ account: toUuid(account), id: toUuid(id) }, { session })
      return { outcome: deletedCount === 1 ? 'deleted' : 'not-found' }
    },

    async deleteAll(account: string, session: ClientSession): Promise<void> {
      await devices.deleteMany({ account: toUuid(account) }, { session })
    },

    /** The next login from each needs a second factor again. */
    async endTrust(account: string, session: ClientSession): Promise<void> {
      await devices.updateMany({ account: toUuid(account) }, { $unset: { trustedUntil: '' } }, { session })
    },

    /** Records a login from the device that presented these cookies. @returns the token for its cookie. */
    async remember(
      account: string,
      { presented, client, trust = false }: Browser,
      session: ClientSession,
    ): Promise<RememberResult> {
      const lastUsedAt = new Date()
      const trusted = trust && { trustedUntil: new Date(lastUsedAt.getTime() + trustMs) }
      const first = { id: toUuid(newId()), name: deviceNameOf(client.userAgent), firstIp: client.ip }
      const found = await findKnown(account, presented, session)
      if (found) {
        const filter = { _id: found._id, account: found._id.account }
        const kept = {
          id: { $ifNull: ['$id', first.id] },
          name: { $ifNull: ['$name', { $literal: first.name }] },
          firstIp: { $ifNull: ['$firstIp', first.firstIp] },
        }
        const known = await devices.updateOne(filter, [{ $set: { lastUsedAt, ...kept, ...trusted } }], { session })
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
      await devices.insertOne({ _id, account: _id.account, ...first, lastUsedAt, ...trusted }, { session })
      return { outcome: 'added', token }
    },
  }
}

export type DeviceStore = ReturnType<typeof deviceStore>
