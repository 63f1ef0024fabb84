import { fileURLToPath } from 'node:url'
import { readConfig, secretNames } from '../config.ts'
import { loadEnv } from '../load-env.ts'
import { reconcile } from '../reconcile/reconcile.ts'
import { driftLeft, lastLines, resultLine } from '../reconcile/report.ts'
import { StartError } from '../start-error.ts'
import { openDatabase } from './open-database.ts'
import { help, readOptions } from './reconcile-options.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const signals = { SIGINT: 130, SIGTERM: 143 }
/** The terminal and npm may each pass on one and the same press, in milliseconds. */
const samePress = 250
/** It waits longer than MongoDB keeps a snapshot: what takes longer fails by itself. */
const command = { appName: 'rookery reconcile', socketTimeoutMS: 310_000 }

const say = (line: string) => void process.stdout.write(`${line}\n`)
const tell = (line: string) => void process.stderr.write(`${line}\n`)

async function run(fix: boolean): Promise<number> {
  const config = await readConfig(loadEnv(), root, { makeSecrets: false })
  // No program that we start needs to inherit them.
  for (const name of secretNames) delete process.env[name]
  const stopping = new AbortController()
  const interruption = hearSignals(stopping)
  const opened = await openDatabase(config, command, { info: tell, warn: tell, error: tell })
  try {
    const onResult = (result: Parameters<typeof resultLine>[0]) => say(resultLine(result))
    const results = await reconcile(opened.client, opened.database, { fix, stop: stopping.signal, onResult })
    const code = interruption()
    if (code !== null) tell('Interrupted: what follows is what was checked until then.')
    for (const line of lastLines(results)) say(line)
    return code ?? (driftLeft(results) === 0 ? 0 : 1)
  } catch (error) {
    throw opened.fault(error)
  } finally {
    await opened.close()
  }
}

/**
 * The first signal ends the walk, the second the process. A transaction that is cut off would hold back others for a
 * minute: MongoDB waits so long for who began it.
 */
function hearSignals(stopping: AbortController): () => number | null {
  let code: number | null = null
  let heard = 0
  for (const [name, exitCode] of Object.entries(signals)) {
    process.on(name, () => {
      if (code !== null && performance.now() - heard > samePress) process.exit(exitCode)
      if (code !== null) return
      heard = performance.now()
      code = exitCode
      stopping.abort()
    })
  }
  return () => code
}

try {
  const options = readOptions(process.argv.slice(2), process.env)
  if (options.help) say(help.trimEnd())
  else process.exitCode = await run(options.fix)
} catch (error) {
  // What a person can act on is said in words; anything else is ours to mend, and wants its stack.
  tell(error instanceof StartError ? error.message : String(error instanceof Error ? error.stack : error))
  process.exitCode = 2
}
