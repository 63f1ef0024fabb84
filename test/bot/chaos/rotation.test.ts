import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type BeginFault, type FaultName, faultNames, momentaryFault } from '../../../bot/chaos/fault.ts'
import { processFaults } from '../../../bot/chaos/process-faults.ts'
import { describeMissing, describeTally, faultRotation } from '../../../bot/chaos/rotation.ts'
import type { LocalServer } from '../../../bot/spawn-server.ts'
import { listen } from '../forward.ts'

/** A server that is always ready, and a process that stands for it. */
async function readyServer(t: Test): Promise<LocalServer> {
  const url = `http://127.0.0.1:${await listen(
    t,
    createServer((_request, response) => response.end()),
  )}`
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'close').then(() => null)
  return { directory: t.testdir(), url, settings: {}, output: { name: 'server' }, program: { child, ended } }
}

function faultsOf(begin: (name: FaultName) => BeginFault): Record<FaultName, BeginFault> {
  // Object.fromEntries forgets the type of the names.
  return Object.fromEntries(faultNames.map((name) => [name, begin(name)])) as Record<FaultName, BeginFault>
}

const never = new AbortController().signal

t.test('faults are taken in turn until each kill has happened three times, and every other once', async (t) => {
  const taken: FaultName[] = []
  const faults = faultsOf((name) => async () => {
    taken.push(name)
    // The second of all faults cannot happen when it is first tried.
    return taken.length === 2 ? undefined : momentaryFault('done')
  })
  const rotation = faultRotation(await readyServer(t), ['kill-mongod', 'lost-reply', 'kill-api'], faults, 0)
  const tally = await rotation.run(never)
  t.same(taken, [
    ...['kill-mongod', 'lost-reply', 'kill-api', 'kill-mongod', 'lost-reply', 'kill-api'],
    ...['kill-mongod', 'kill-api'],
  ])
  t.equal(describeTally(tally), 'kill-mongod 3, lost-reply 1 of 2 tried, kill-api 3')
  t.equal(describeMissing(tally), null)
})

t.test('what has not happened when the crowd has gone is named', async (t) => {
  const stop = new AbortController()
  let tries = 0
  const faults = faultsOf((name) => async () => {
    if (++tries === 4) stop.abort()
    return name === 'kill-server' ? momentaryFault('done') : undefined
  })
  const tally = await faultRotation(await readyServer(t), ['kill-mongod', 'kill-server'], faults, 0).run(stop.signal)
  t.equal(describeMissing(tally), 'nothing shown: kill-mongod happened 0 of 3 times, kill-server happened 2 of 3 times')
})

t.test('a process falls once, however long its parent takes to notice', async (t) => {
  const server = await readyServer(t)
  // What the shell has become never asks how its child ended, which stays a zombie that accepts signals.
  const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'])
  t.teardown(() => parent.kill('SIGKILL'))
  const [pid] = await once(parent.stdout, 'data')
  await mkdir(join(server.directory, 'mongod', 'data'), { recursive: true })
  await writeFile(join(server.directory, 'mongod', 'data', 'mongod.lock'), String(pid))
  const kill = processFaults(server)['kill-mongod']
  t.ok(await kill(never))
  t.ok(process.kill(Number(pid), 0), 'it still has its number')
  t.equal(await kill(never), undefined)
})
