import { readdir, readFile, readlink } from 'node:fs/promises'
import { Agent } from 'node:http'
import type { Test } from 'tap'
import { makeClient } from '../helper.ts'

/** A client with one connection, the pid of the API process that serves it, and whether the connection is unchanged. */
export type Pinned = { pid: number; client: ReturnType<typeof makeClient>; isSame(): boolean }

/** Connects until each API process serves `each` clients: the primary distributes connections. */
export async function pinnedTo(
  t: Test,
  url: string,
  pids: readonly number[],
  each = 1,
): Promise<Map<number, Pinned[]>> {
  const found = new Map(pids.map((pid): [number, Pinned[]] => [pid, []]))
  while ([...found.values()].some((some) => some.length < each)) {
    const one = await connectTo(t, url, pids)
    const some = found.get(one.pid)
    if (some && some.length < each) some.push(one)
  }
  return found
}

async function connectTo(t: Test, url: string, pids: readonly number[]): Promise<Pinned> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const port = () => Object.values(agent.freeSockets)[0]?.[0]?.localPort ?? 0
  const client = Object.assign(makeClient(url).extend({ agent: { http: agent } }), { jar: makeClient(url).jar })
  await client.get('health/live')
  const own = port()
  const inode = await serversEnd(own, Number(new URL(url).port))
  for (const pid of pids) if (await holds(pid, inode)) return { pid, client, isSame: () => port() === own }
  throw new Error(`none of ${pids} holds the connection`)
}

/** The inode of the server's end of a connection over loopback (Linux). */
async function serversEnd(clientPort: number, serverPort: number): Promise<string> {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
  const [local, remote] = [`0100007F:${hex(serverPort)}`, `0100007F:${hex(clientPort)}`]
  const rows = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((row) => row.trim().split(/\s+/))
  const inode = rows.find((row) => row[1] === local && row[2] === remote)?.[9]
  if (inode === undefined) throw new Error(`no connection from ${clientPort}`)
  return inode
}

async function holds(pid: number, inode: string): Promise<boolean> {
  const folder = `/proc/${pid}/fd`
  const targets = await Promise.all(
    (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => undefined)),
  )
  return targets.includes(`socket:[${inode}]`)
}
