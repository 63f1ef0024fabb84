import type { FaultProxy } from '../../bot/chaos/fault-proxy.ts'
import { eventually } from '../eventually.ts'
import { openManyConnections } from './many-connections.ts'
import type { Member, ReplicaSet } from './replica-set.ts'
import type { Site } from './sites.ts'
import type { SmallDisk } from './small-disk.ts'

/** In the order in which they happen. */
export const faultNames = [
  'step-down',
  'secondary-lost',
  'primary-killed',
  'primary-frozen',
  'majority-lost',
  'connections',
  'primary-disk-full',
  'network-refused',
  'network-silent',
  'only-disk-full',
] as const

export type FaultName = (typeof faultNames)[number]

/** `end` ends it after `lastsMs`, or as soon as the servers have recovered while it lasts. */
export type OngoingFault = { lastsMs: number | 'until recovered'; end(): Promise<void> }

export type Fault = {
  name: FaultName
  /**
   * For how long requests can get 503, in seconds from the beginning or the end of the fault; 0: no request fails. A full
   * disk shows when mongod next needs space, so that it counts from the first request that fails.
   */
  limit: { seconds: number; from: 'beginning' | 'first 503' | 'end' }
  /** The numbers of the servers that can fail; default: all. */
  hits?: readonly number[]
  begin(site: Site): Promise<OngoingFault>
}

const never = { seconds: 0, from: 'beginning' } as const
const momentary: OngoingFault = { lastsMs: 0, end: async () => undefined }

/** Of the replica set, under two servers. */
export const setFaults = (set: ReplicaSet): Fault[] => [
  {
    name: 'step-down',
    limit: never,
    async begin() {
      const primary = await set.primary()
      await primary.command({ replSetStepDown: 20 })
      await untilOther(set, primary)
      return momentary
    },
  },
  {
    name: 'secondary-lost',
    limit: never,
    async begin() {
      const [secondary] = await set.secondaries()
      await secondary?.kill()
      // Longer than the timeouts by which the other members and the servers notice.
      return { lastsMs: 12_000, end: set.heal }
    },
  },
  {
    name: 'primary-killed',
    limit: { seconds: 12, from: 'beginning' },
    async begin() {
      await (await set.primary()).kill()
      return { lastsMs: 'until recovered', end: set.heal }
    },
  },
  {
    name: 'primary-frozen',
    limit: { seconds: 30, from: 'beginning' },
    async begin() {
      const primary = await set.primary()
      primary.signal('SIGSTOP')
      return {
        lastsMs: 'until recovered',
        async end() {
          primary.signal('SIGCONT')
          await set.heal()
        },
      }
    },
  },
  {
    name: 'majority-lost',
    limit: { seconds: 12, from: 'end' },
    async begin() {
      const lost = await set.secondaries()
      await Promise.all(lost.map((member) => member.kill()))
      // Longer than the election timeout, after which the primary steps down.
      return { lastsMs: 15_000, end: async () => void (await Promise.all(lost.map((member) => member.start()))) }
    },
  },
]

/** The disk of one member is full, which is primary then. */
export const memberDiskFault = (set: ReplicaSet, member: Member, disk: SmallDisk): Fault => ({
  name: 'primary-disk-full',
  limit: { seconds: 12, from: 'first 503' },
  async begin() {
    const isPrimary = async () => (await set.primary()) === member
    for (let tries = 0; tries < 10 && !(await isPrimary()); tries += 1) {
      // Refused while an election is in progress, or before the member has caught up.
      await member.command({ replSetStepUp: 1 }).catch(() => undefined)
      await eventually(isPrimary, { withinMs: 5_000, everyMs: 100 }).catch(() => undefined)
    }
    await disk.fill()
    await untilOther(set, member).catch(async (error: Error) => {
      await disk.free()
      throw error
    })
    return {
      lastsMs: 'until recovered',
      async end() {
        await disk.free()
        await set.heal()
      },
    }
  },
})

/** The network between one of two servers and MongoDB. */
export const linkFaults = (proxy: FaultProxy): Fault[] => {
  const during = (begin: () => void, end: () => void) => async () => {
    begin()
    return { lastsMs: 12_000, end: async () => end() }
  }
  const limit = { seconds: 12, from: 'end' } as const
  return [
    {
      name: 'network-refused',
      ...{ limit, hits: [1] },
      begin: during(proxy.disconnect, proxy.reconnect),
    },
    {
      name: 'network-silent',
      ...{ limit, hits: [1] },
      begin: during(() => {
        proxy.freeze('requests')
        proxy.freeze('replies')
      }, proxy.thaw),
    },
  ]
}

/** The disk of a server with the embedded MongoDB, which restarts its mongod. */
export const embeddedDiskFault = (disk: SmallDisk): Fault => ({
  name: 'only-disk-full',
  limit: { seconds: 12, from: 'end' },
  async begin(site) {
    await disk.fill()
    await eventually(async () => !(await isOk(`${site.servers[0]?.url}/health/database`)))
    return { lastsMs: 10_000, end: disk.free }
  },
})

export const connectionsFault: Fault = {
  name: 'connections',
  limit: never,
  async begin({ servers: [server] }) {
    const connections = await openManyConnections(server?.url ?? '')
    return {
      lastsMs: 5_000,
      async end() {
        const open = connections.open()
        connections.close()
        const unexpected = [...connections.statuses].filter(([status]) => status !== '200')
        if (unexpected.length > 0) throw new Error(`the connections got ${JSON.stringify(unexpected)}`)
        if (open < 5_000) throw new Error(`of 10,000 connections ${open} were left`)
      },
    }
  },
}

async function untilOther(set: ReplicaSet, primary: Member): Promise<void> {
  // A full disk shows at the next checkpoint at the latest, a minute later.
  await eventually(async () => (await set.primary()) !== primary, { everyMs: 100, withinMs: 120_000 })
}

const isOk = async (url: string) => (await fetch(url).catch(() => undefined))?.ok === true
