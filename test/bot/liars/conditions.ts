import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { clockStep, steppableClock } from '../../../bot/chaos/clock.ts'
import { connectionFaults } from '../../../bot/chaos/connection-faults.ts'
import { withFaultyDatabase } from '../../../bot/chaos/database.ts'
import { faultNames } from '../../../bot/chaos/fault.ts'
import { processFaults } from '../../../bot/chaos/process-faults.ts'
import { describeTally, faultRotation } from '../../../bot/chaos/rotation.ts'
import { type LocalServer, waitUntilReady, withLocalServer, withTemporaryDirectory } from '../../../bot/spawn-server.ts'
import { startStranger } from './stranger.ts'

/** Runs `use` against a server of its own. Resolves to the result and a note of what happened during the run. */
type Condition = <T>(use: (url: string) => Promise<T>, seed: number) => Promise<{ result: T; note: string }>

const common = { BCRYPT_COST: '4', LOG_LEVEL: 'error' }
const pauseMs = 1_000

/** What surrounds the runs of the bot. */
export const conditions = {
  'one-process': (use) => withServer(common, async ({ url }) => ({ result: await use(url), note: '' })),
  'four-processes': (use) =>
    withServer({ ...common, WEB_CONCURRENCY: '4' }, async ({ url }) => ({ result: await use(url), note: '' })),
  stranger: (use) =>
    withServer(common, async ({ url }) => {
      const stranger = await startStranger(url)
      let acts = 0
      const result = await use(url).finally(async () => {
        acts = await stranger.stop()
      })
      return { result, note: `${acts} visits of the stranger` }
    }),
  chaos: (use, seed) =>
    withTemporaryDirectory('liars', async (directory) => {
      const TMPDIR = join(directory, 'tmp')
      await mkdir(TMPDIR)
      const clock = steppableClock(directory)
      try {
        return await withFaultyDatabase(directory, ({ proxy, settings }) =>
          withReadyServer(
            directory,
            { ...common, TMPDIR, ...clock.settings, ...settings, WEB_CONCURRENCY: '4' },
            (server) => {
              const faults = { ...processFaults(server), ...connectionFaults(proxy), 'clock-step': clockStep(clock) }
              const first = (seed * 5) % faultNames.length
              const names = [...faultNames.slice(first), ...faultNames.slice(0, first)]
              return amid(faultRotation(server, names, faults, pauseMs), () => use(server.url))
            },
          ),
        )
      } finally {
        clock.close()
      }
    }),
} satisfies Record<string, Condition>

export type ConditionName = keyof typeof conditions

async function amid<T>(rotation: ReturnType<typeof faultRotation>, use: () => Promise<T>) {
  const ended = new AbortController()
  const [result, tally] = await Promise.all([use().finally(() => ended.abort()), rotation.run(ended.signal)])
  return { result, note: describeTally(new Map([...tally].filter(([, { happened }]) => happened > 0))) }
}

function withServer<T>(settings: Record<string, string>, use: (server: LocalServer) => Promise<T>): Promise<T> {
  return withTemporaryDirectory('liars', (directory) => withReadyServer(directory, settings, use))
}

function withReadyServer<T>(
  directory: string,
  settings: Record<string, string>,
  use: (server: LocalServer) => Promise<T>,
): Promise<T> {
  return withLocalServer(directory, settings, async (server) => {
    if (!(await waitUntilReady(server))) throw new Error('the server did not start')
    return use(server)
  })
}
