import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type FaultProxy, startFaultProxy } from '../../bot/chaos/fault-proxy.ts'
import { isRunning, type LocalServer, waitUntilReady, withLocalServer } from '../../bot/spawn-server.ts'
import { withBalancer } from './balancer.ts'
import { lastLines } from './last-lines.ts'
import type { ReplicaSet } from './replica-set.ts'

/** What a fault hits: servers, and an address whose connections they share. */
export type Site = {
  servers: readonly LocalServer[]
  url: string
  /** Those that still run: none is restarted. */
  running(): number
}

/** One process, and several with a writer of their own. */
const processesOf = ['1', '2'] as const

const settingsOf = ({ connection }: ReplicaSet) => ({
  MONGODB_URI: connection.uri,
  DB_USER: connection.username,
  DB_PASSWORD: connection.password,
})

/** Two servers on the replica set. */
export const withPair = <T>(folder: string, set: ReplicaSet, use: (site: Site) => Promise<T>): Promise<T> =>
  withServers(
    join(folder, 'pair'),
    processesOf.map((WEB_CONCURRENCY) => ({ ...settingsOf(set), WEB_CONCURRENCY })),
    use,
  )

/** Two servers on the replica set, of which the second reaches nothing but its primary, through the proxy. */
export async function withLink<T>(
  folder: string,
  set: ReplicaSet,
  use: (site: Site & { proxy: FaultProxy }) => Promise<T>,
): Promise<T> {
  const { host } = await set.primary()
  const proxy = await startFaultProxy(Number(host.split(':')[1]))
  const MONGODB_URI = `mongodb://127.0.0.1:${proxy.port}/rookery?directConnection=true`
  const settings = [settingsOf(set), { ...settingsOf(set), MONGODB_URI }]
  try {
    return await withServers(join(folder, 'link'), settings, (site) => use({ ...site, proxy }))
  } finally {
    proxy.close()
  }
}

/** One server with the embedded MongoDB, and its data in the folder `dataDir`. */
export const withEmbedded = <T>(folder: string, dataDir: string, use: (site: Site) => Promise<T>): Promise<T> =>
  withServers(join(folder, 'embedded'), [{ DATA_DIR: dataDir }], use)

/** Starts the servers one after the other, as on a first day. */
async function withServers<T>(
  folder: string,
  settings: readonly Record<string, string>[],
  use: (site: Site) => Promise<T>,
  servers: readonly LocalServer[] = [],
): Promise<T> {
  const [first, ...others] = settings
  if (first === undefined) {
    const running = () => servers.filter(({ program }) => isRunning(program)).length
    return withBalancer(
      servers.map(({ url }) => url),
      (url) => use({ servers, url, running }),
    )
  }
  const directory = `${folder}-${servers.length + 1}`
  await mkdir(directory)
  const log = await open(`${directory}.log`, 'a')
  try {
    return await withLocalServer(
      directory,
      { ...common, ...first },
      async (server) => {
        if (!(await waitUntilReady(server)))
          throw new Error(`a server did not start:\n${await lastLines(`${directory}.log`)}`)
        return withServers(folder, others, use, [...servers, server])
      },
      log.fd,
    )
  } finally {
    await log.close()
  }
}

const common = {
  NODE_ENV: 'test',
  LOG_LEVEL: 'info',
  BCRYPT_COST: '4',
  JWT_SIGN_KEY: 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K',
}
