import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../cli.ts'
import { forwardSignals, withLocalServer, withTemporaryDirectory } from '../spawn-server.ts'
import { clockStep, steppableClock } from './clock.ts'
import { connectionFaults } from './connection-faults.ts'
import { withFaultyDatabase } from './database.ts'
import { type ChaosOptions, help, readChaosOptions } from './options.ts'
import { processFaults } from './process-faults.ts'
import { faultRotation } from './rotation.ts'
import { runRounds } from './rounds.ts'

const signals = forwardSignals({ untilUnread: true })

await runCommand(async () => {
  const options = readChaosOptions(process.argv.slice(2))
  if (!options.help) return withTemporaryDirectory('chaos', (directory) => runIn(directory, options))
  process.stdout.write(help)
  return 0
})

async function runIn(directory: string, options: ChaosOptions): Promise<number> {
  // A killed server leaves temporary files behind: here they are deleted with the data directory.
  const TMPDIR = join(directory, 'tmp')
  await mkdir(TMPDIR)
  const clock = steppableClock(directory)
  try {
    return await withFaultyDatabase(directory, (database) => {
      const settings = {
        ...{ TMPDIR, WEB_CONCURRENCY: String(options.processes), LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn' },
        ...database.settings,
        ...clock.settings,
      }
      return withLocalServer(directory, settings, (server) => {
        const faults = { ...processFaults(server), ...connectionFaults(database.proxy), 'clock-step': clockStep(clock) }
        const rotation = faultRotation(server, options.faults, faults, options.pause * 1_000)
        return runRounds(server, rotation, options, signals)
      })
    })
  } finally {
    clock.close()
  }
}
