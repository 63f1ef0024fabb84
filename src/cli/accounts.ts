import { resetPassword } from '../accounts/reset-password.ts'
import { StartError } from '../start-error.ts'
import { print, printError, runCli } from './command.ts'
import { withDatabase } from './open-database.ts'

const help = `Usage: npm run accounts -- reset-password USERNAME

Sets a one-time password for an account and ends all of its sessions. The password is valid for one login within 24
hours; after that login, the account's owner sets a new one (PUT /v1/account/password). The server can keep running.
The command connects to the database of the server's configuration: MONGODB_URI, or else the one in DATA_DIR.

Exit code: 0 done, 1 no account has this username, 69 the database is out of reach,
78 bad arguments or configuration, 70 a fault of the program.
`

function readUsername(positionals: string[]): string {
  const [command, username, ...more] = positionals
  if (command === 'reset-password' && username !== undefined && more.length === 0) return username
  throw new StartError(`Give a command and a username.\n\n${help.trimEnd()}`)
}

async function runResetPassword(username: string): Promise<number> {
  return withDatabase({ appName: 'rookery accounts' }, async ({ client, databaseName }, config) => {
    const hashing = { cost: config.bcryptCost, peppers: config.secrets.peppers }
    const { throttleKey } = config.secrets
    const reset = await resetPassword(client, databaseName, username, hashing, throttleKey)
    if (reset.outcome === 'not-found') {
      printError(`No account has the username ${username}.`)
      return 1
    }
    const sessions = reset.sessionsEnded === 1 ? '1 session was ended' : `${reset.sessionsEnded} sessions were ended`
    print(`${sessions}. One-time password, valid for one login until ${reset.until.toISOString()}:`)
    print('')
    print(`  ${reset.password}`)
    return 0
  })
}

await runCli({
  help,
  args: { allowPositionals: true },
  run: ({ positionals }) => runResetPassword(readUsername(positionals)),
})
