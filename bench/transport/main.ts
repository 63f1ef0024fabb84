import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isItems, overIpc, type Way, ways } from './links.ts'
import { answer, peer } from './peer.ts'

const warmUp = 1_000
const measured = 3_000
const titles: Record<Way, string> = {
  'ipc-json': 'process.send to the parent, JSON',
  'ipc-advanced': 'process.send to the parent, structured clone',
  'relay-json': 'process.send through the parent to a sibling, JSON',
  'relay-advanced': 'process.send through the parent to a sibling, structured clone',
  socket: 'Unix socket, a line a message',
  frames: 'Unix socket, a line a turn of the event loop (src/writer/ipc.ts)',
}

/** What a process has done until now: items answered to it, and CPU time in microseconds. */
type Told = { answered: number; cpu: number }

const [role, way, path, together] = process.argv.slice(2)
const known = ways.find((one) => one === way)
if (role === undefined) await compare()
else if (known && path !== undefined) await peer(role, known, path, Number(together))
else {
  process.stderr.write('bench:transport has no options.\n')
  process.exitCode = 2
}

async function compare(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rookery-bench-'))
  try {
    for (const together of [1, 64]) {
      process.stdout.write(
        `\n${together} to a message                                         items/s   CPU µs an item\n`,
      )
      for (const way of ways) {
        if (way === 'frames' && together > 1) continue
        process.stdout.write(`${await measure(way, join(folder, `${way}-${together}`), together)}\n`)
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Asks and answers go through the way for a while; the line tells how many a second, and what CPU all processes took. */
async function measure(way: Way, path: string, together: number): Promise<string> {
  const start = (role: string) =>
    fork(import.meta.filename, [role, way, path, String(together)], {
      serialization: way.endsWith('advanced') ? 'advanced' : 'json',
    })
  const children: ChildProcess[] = []
  if (!way.startsWith('ipc')) {
    const answerer = start('answer')
    if (!way.startsWith('relay')) await once(answerer, 'message')
    else await once(answerer, 'spawn')
    children.push(answerer)
  }
  const asker = start('ask')
  children.push(asker)
  if (way.startsWith('ipc')) answer(overIpc(asker))
  if (way.startsWith('relay')) relay(asker, children[0] ?? asker)

  await sleep(warmUp)
  const from = performance.now()
  const before = await tell(children)
  await sleep(measured)
  const after = await tell(children)
  const seconds = (performance.now() - from) / 1_000
  await Promise.all(children.map(end))
  const items = after.answered - before.answered
  const perSecond = Math.round(items / seconds).toLocaleString('en')
  return `${titles[way].padEnd(68)} ${perSecond.padStart(9)} ${((after.cpu - before.cpu) / items).toFixed(1).padStart(6)}`
}

/** They are in the middle of it: what is on its way to them fails, and they would fail loudly themselves. */
function end(child: ChildProcess): Promise<void> {
  child.on('error', () => undefined)
  child.kill('SIGKILL')
  return new Promise((resolve) => void child.once('exit', () => resolve()))
}

function relay(one: ChildProcess, other: ChildProcess): void {
  const hand = (from: ChildProcess, to: ChildProcess) =>
    from.on('message', (message) => void (isItems(message) && to.connected && to.send(message)))
  hand(one, other)
  hand(other, one)
}

/** The sums of all processes, this one with them. */
async function tell(children: ChildProcess[]): Promise<Told> {
  const { user, system } = process.cpuUsage()
  const all = await Promise.all(children.map(ofChild))
  return all.reduce((sum, { answered, cpu }) => ({ answered: sum.answered + answered, cpu: sum.cpu + cpu }), {
    answered: 0,
    cpu: user + system,
  })
}

function ofChild(child: ChildProcess): Promise<Told> {
  return new Promise((resolve) => {
    const hear = (message: unknown) => {
      if (typeof message !== 'object' || message === null || !('cpu' in message)) return
      child.off('message', hear)
      // Sent by peer().
      resolve(message as Told)
    }
    child.on('message', hear)
    child.send('tell')
  })
}
