import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { temporaryFolder } from '../../src/temporary-folder.ts'
import { isItems, overIpc, type Transport, transports } from './links.ts'
import { echo, runPeer } from './peer.ts'

const warmUpMs = 1_000
const durationMs = 3_000
const titles: Record<Transport, string> = {
  'ipc-json': 'process.send to the parent, JSON',
  'ipc-advanced': 'process.send to the parent, structured clone',
  'relay-json': 'process.send through the parent to a sibling, JSON',
  'relay-advanced': 'process.send through the parent to a sibling, structured clone',
  socket: 'Unix socket, one line per message',
  'socket-turns': 'Unix socket, one line per event loop turn (src/writer/ipc.ts)',
}

/** The totals of a process so far: responses that it has received, and CPU time in microseconds. */
type Totals = { received: number; cpuUs: number }

const [role, name, path, itemsPerMessage] = process.argv.slice(2)
const transport = transports.find((known) => known === name)
if (role === undefined) await compare()
else if (transport && path !== undefined) await runPeer(role, transport, path, Number(itemsPerMessage))
else {
  process.stderr.write('bench:transport has no options.\n')
  process.exitCode = 2
}

async function compare(): Promise<void> {
  const directory = await temporaryFolder('rookery-bench-')
  try {
    for (const itemsPerMessage of [1, 64]) {
      process.stdout.write(`\n${`${itemsPerMessage} per message`.padEnd(68)}   items/s  CPU µs per item\n`)
      for (const transport of transports) {
        if (transport === 'socket-turns' && itemsPerMessage > 1) continue
        const socket = join(directory, `${transport}-${itemsPerMessage}`)
        process.stdout.write(`${await measure(transport, socket, itemsPerMessage)}\n`)
      }
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Exchanges items for 3 seconds. The line has the items per second and the CPU time of all processes per item. */
async function measure(transport: Transport, path: string, itemsPerMessage: number): Promise<string> {
  const start = (role: string) =>
    fork(import.meta.filename, [role, transport, path, String(itemsPerMessage)], {
      serialization: transport.endsWith('advanced') ? 'advanced' : 'json',
    })
  const children: ChildProcess[] = []
  if (!transport.startsWith('ipc')) {
    const server = start('server')
    if (!transport.startsWith('relay')) await once(server, 'message')
    else await once(server, 'spawn')
    children.push(server)
  }
  const client = start('client')
  children.push(client)
  if (transport.startsWith('ipc')) echo(overIpc(client))
  if (transport.startsWith('relay')) relay(client, children[0] ?? client)

  await sleep(warmUpMs)
  const startedAt = performance.now()
  const before = await sumTotals(children)
  await sleep(durationMs)
  const after = await sumTotals(children)
  const seconds = (performance.now() - startedAt) / 1_000
  await Promise.all(children.map(kill))
  const items = after.received - before.received
  const perSecond = Math.round(items / seconds).toLocaleString('en')
  return `${titles[transport].padEnd(68)} ${perSecond.padStart(9)} ${((after.cpuUs - before.cpuUs) / items).toFixed(1).padStart(6)}`
}

/** Killed, not stopped: the peers are sending, and would report errors if the other end closed first. */
function kill(child: ChildProcess): Promise<void> {
  child.on('error', () => undefined)
  child.kill('SIGKILL')
  return new Promise((resolve) => void child.once('exit', () => resolve()))
}

function relay(one: ChildProcess, other: ChildProcess): void {
  const forward = (from: ChildProcess, to: ChildProcess) =>
    from.on('message', (message) => void (isItems(message) && to.connected && to.send(message)))
  forward(one, other)
  forward(other, one)
}

/** The sums over all processes, including this one. */
async function sumTotals(children: ChildProcess[]): Promise<Totals> {
  const { user, system } = process.cpuUsage()
  const all = await Promise.all(children.map(readTotals))
  return all.reduce((sum, { received, cpuUs }) => ({ received: sum.received + received, cpuUs: sum.cpuUs + cpuUs }), {
    received: 0,
    cpuUs: user + system,
  })
}

function readTotals(child: ChildProcess): Promise<Totals> {
  return new Promise((resolve) => {
    const onMessage = (message: unknown) => {
      if (typeof message !== 'object' || message === null || !('cpuUs' in message)) return
      child.off('message', onMessage)
      // Sent by runPeer().
      resolve(message as Totals)
    }
    child.on('message', onMessage)
    child.send('totals')
  })
}
