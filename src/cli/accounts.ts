import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { resetPassword } from '../accounts/reset-password.ts'
import { readConfig, secretNames } from '../config.ts'
import { loadEnv } from '../load-env.ts'
import { StartError } from '../start-error.ts'
import { openDatabase } from './open-database.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const help = `Usage: npm run accounts -- reset-password NAME

Gives an account a password that is good for one login within 24 hours, and ends all of its sessions. It does not work
a second time: whoever logs in with it chooses another at once, PUT /v1/account/password. The server may run meanwhile.
The database is the one that the server's configuration names; without MONGODB_URI that in DATA_DIR.

Exit code: 0 done, 1 nobody has this name, 2 bad arguments or no database.
`

const say = (line: string) => void process.stdout.write(`${line}\n`)
const tell = (line: string) => void process.stderr.write(`${line}\n`)

/** @throws StartError when the arguments are not those of a command. */
function readName(args: string[]): string | undefined {
  const unfit = new StartError(`Give a command and a name.\n\n${help.trimEnd()}`)
  try {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { help: { type: 'boolean' } } })
    if (values.help) return undefined
    const [command, name, ...more] = positionals
    if (command === 'reset-password' && name !== undefined && more.length === 0) return name
  } catch {
    throw unfit
  }
  throw unfit
}

async function reset(username: string): Promise<number> {
  const config = await readConfig(loadEnv(), root, { makeSecrets: false })
  // No program that we start needs to inherit them.
  for (const name of secretNames) delete process.env[name]
  const opened = await openDatabase(config, { appName: 'rookery accounts' }, { info: tell, warn: tell, error: tell })
  try {
    const hashing = { cost: config.bcryptCost, peppers: config.peppers }
    const done = await resetPassword(opened.client, opened.database, username, hashing)
    if (!done) {
      tell(`Nobody is called ${username}: give the name of an account.`)
      return 1
    }
    const sessions = done.ended === 1 ? '1 session has ended' : `${done.ended} sessions have ended`
    say(`${sessions}. For one login until ${done.until.toISOString()}:`)
    say('')
    say(`  ${done.password}`)
    return 0
  } catch (error) {
    throw opened.fault(error)
  } finally {
    await opened.close()
  }
}

try {
  const name = readName(process.argv.slice(2))
  if (name === undefined) say(help.trimEnd())
  else process.exitCode = await reset(name)
} catch (error) {
  // What a person can act on is said in words; anything else is ours to mend, and wants its stack.
  tell(error instanceof StartError ? error.message : String(error instanceof Error ? error.stack : error))
  process.exitCode = 2
}
