import { randomBytes } from 'node:crypto'
import type { Binary, ClientSession, Collection, Db, UUID } from 'mongodb'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { turnQuery } from '../database/turn-reads.ts'
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

/** @property token - of its cookie. @property subject - by which its failed logins are counted */
export type KnownDevice = Pick<DeviceDocument, '_id' | 'account' | 'id'> & { token: string; subject: string }

/** Whether a device was known so long ago. Of earlier versions' documents, the time of the first login is not known. */
export const isKnownFor = ({ id }: Pick<KnownDevice, 'id'>, ms: number): boolean =>
  id === undefined || Date.now() - timeOf(id.toString()).getTime() > ms

/**
 * @property presented - the cookies of its name
 * @property trust - see `trustedUntil`
 * @property known - the device, if it has been found already
 * @property hasRoom - whether the account is known to have room for one more
 */
export type Browser = {
  presented: readonly string[]
  client: ClientInfo
  trust?: boolean | undefined
  known?: KnownDevice | undefined
  hasRoom?: boolean
}

const collection = 'devices'
const maxDevices = 20
const lifetimeSeconds = 400 * 86_400
const trustMs = 30 * 86_400_000
const form = /^[\w-]{43}$/
const newestFirst = { lastUsedAt: -1 } as const

export type RememberResult = { outcome: 'known' | 'added'; token: string }

export const deviceIndexes = [
  { key: { account: 1, lastUsedAt: -1 } },
  { key: { lastUsedAt: 1 }, expireAfterSeconds: lifetimeSeconds },
] as const

/** Known devices: the 20 browsers that an account last logged in from, as hashes of a random cookie. */
export function deviceStore(db: Db) {
  const devices: Collection<DeviceDocument> = db.collection(collection)
  const key = (account: string, token: string) => ({
    account: toUuid(account),
    device: hashPart(Buffer.from(token)),
  })

  const candidatesOf = (account: string, presented: readonly string[]) =>
    presented
      .filter((token) => form.test(token))
      .slice(0, maxVerified)
      .map((token) => ({ token, _id: key(account, token) }))

  /** The first known device among these cookies. */
  async function findKnown(account: string, presented: readonly string[], session?: ClientSession) {
    const candidates = candidatesOf(account, presented)
    if (candidates.length === 0) return undefined
    const filter = { _id: { $in: candidates.map(({ _id }) => _id) }, account: toUuid(account) }
    const projection = { account: 1, id: 1, trustedUntil: 1 }
    const count = candidates.length
    // The collection holds such documents.
    const found = session
      ? await devices.find(filter, { projection, session }).toArray()
      : ((await turnQuery(db, { collection, filter, projection, count })) as DeviceDocument[])
    for (const { token, _id } of candidates) {
      const known = found.find((device) => sameHash(device._id.device, _id.device))
      const subject = `${account}:${Buffer.from(_id.device.buffer).toString('base64url')}`
      if (known) return { token, subject, ...known }
    }
    return undefined
  }

  async function makeRoom(account: UUID, session: ClientSession): Promise<void> {
    const surplus = await devices
      .find({ account }, { session, projection: { _id: 1 } })
      .sort(newestFirst)
      .skip(maxDevices - 1)
      .toArray()
    if (surplus.length === 0) return
    await devices.deleteMany({ _id: { $in: surplus.map(({ _id }) => _id) }, account }, { session })
  }

  return {
    find: (account: string, presented: readonly string[]): Promise<KnownDevice | undefined> =>
      findKnown(account, presented),

    /** Whether one more makes the account forget none. */
    async hasRoom(account: string): Promise<boolean> {
      const filter = { account: toUuid(account) }
      const query = { collection, filter, projection: { _id: 1 }, sort: newestFirst, skip: maxDevices - 1, limit: 1 }
      return (await turnQuery(db, { ...query, count: 1 })).length === 0
    },

    /** Whether the first known device among these cookies logs in without a second factor. */
    async isTrusted(account: string, presented: readonly string[], session?: ClientSession): Promise<boolean> {
      const { trustedUntil } = (await findKnown(account, presented, session)) ?? {}
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

    /** The next login from each needs a second factor again. @param kept - the cookies of a client that stays trusted */
    async endTrust(account: string, session: ClientSession, kept: readonly string[] = []): Promise<void> {
      const _id = { $nin: candidatesOf(account, kept).map(({ _id }) => _id) }
      await devices.updateMany({ account: toUuid(account), _id }, { $unset: { trustedUntil: '' } }, { session })
    },

    /** Records a login from the device that presented these cookies. @returns the token for its cookie. */
    async remember(
      account: string,
      { presented, client, trust = false, known, hasRoom = false }: Browser,
      session: ClientSession,
    ): Promise<RememberResult> {
      const lastUsedAt = new Date()
      const trusted = trust && { trustedUntil: new Date(lastUsedAt.getTime() + trustMs) }
      const first = { id: toUuid(newId()), name: deviceNameOf(client.userAgent), firstIp: client.ip }
      const found = known ?? (await findKnown(account, presented, session))
      if (found) {
        const filter = { _id: found._id, account: found.account }
        const kept = {
          id: { $ifNull: ['$id', first.id] },
          name: { $ifNull: ['$name', { $literal: first.name }] },
          firstIp: { $ifNull: ['$firstIp', first.firstIp] },
        }
        const used = await devices.updateOne(filter, [{ $set: { lastUsedAt, ...kept, ...trusted } }], { session })
        if (used.matchedCount === 1) return { outcome: 'known', token: found.token }
      }
      const token = randomBytes(32).toString('base64url')
      const _id = key(account, token)
      if (!hasRoom) await makeRoom(_id.account, session)
      await devices.insertOne({ _id, account: _id.account, ...first, lastUsedAt, ...trusted }, { session })
      return { outcome: 'added', token }
    },
  }
}

export type DeviceStore = ReturnType<typeof deviceStore>
