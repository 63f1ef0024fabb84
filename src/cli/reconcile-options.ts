import { parseArgs } from 'node:util'
import type { Environment } from '../config.ts'
import { StartError } from '../start-error.ts'

export const help = `Usage: npm run reconcile -- [options]

Counts every like, dislike, reply, post and follow anew, and the reactions of each day, and compares with the counts that
are kept. The server may run meanwhile.
The database is the one that the server's configuration names; without MONGODB_URI that in DATA_DIR.

  --fix     makes right what drifts
  --help    shows this

The last line says the drift that is left: the sum of what the counts are wrong by, and of what has outlived the post
or the account that it belonged to. It must be 0.

Exit code: 0 the drift is 0, 1 it is not, 2 bad options or no database, 130 or 143 interrupted.
`

export type Options = { fix: boolean; help: boolean }

/**
 * Reads the command line.
 * @param env - npm puts there what it takes for its own.
 * @throws StartError with one sentence that names the option at fault.
 */
export function readOptions(args: string[], env: Environment): Options {
  // npm run reconcile --fix: it would count only, and whoever typed it would believe it had been fixed.
  if (env.npm_config_fix === 'true') throw new StartError('npm kept --fix for itself: npm run reconcile -- --fix')
  try {
    const { fix = false, help = false } = parseArgs({
      args,
      options: { fix: { type: 'boolean' }, help: { type: 'boolean' } },
    }).values
    return { fix, help }
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)
    throw new StartError(`${sentence}: see --help.`)
  }
}
