import { StartError } from '../start-error.ts'
import { type AccountCommand, type Operator, operatorOn } from './accounts/command.ts'
import { deleteCommand } from './accounts/delete.ts'
import { endAllSessions, endSessionsCommand } from './accounts/end-sessions.ts'
import { removeEmailCommand } from './accounts/remove-email.ts'
import { resetFactorsCommand } from './accounts/reset-factors.ts'
import { resetPasswordCommand } from './accounts/reset-password.ts'
import { showCommand } from './accounts/show.ts'
import { suspendCommand, unsuspendCommand } from './accounts/suspend.ts'
import { unlockCommand } from './accounts/unlock.ts'
import { handleInterrupts, print, printError, runCli } from './command.ts'
import { withDatabase } from './open-database.ts'
import { recordCommand } from './operator-log.ts'

const help = `Usage: npm run accounts -- COMMAND USERNAME

  show USERNAME            prints its state, e-mail address, second factor, passkeys, devices, sessions and last activity
  reset-password USERNAME  sets a one-time password and ends all sessions: it is valid for one login within 24 hours, after
                           which the account's owner sets a new one (PUT /v1/account/password)
  reset-factors USERNAME   removes the authenticator app, the recovery codes and the passkeys: the password alone logs in
  remove-email USERNAME    removes the e-mail address, verified or not, and voids its links: no mail resets the password
  unlock USERNAME          clears the counters of failed logins and wrong codes, so that the owner can log in from anywhere
  end-sessions USERNAME    ends all sessions and the trust of all devices: the owner has to log in again
  end-sessions --all --yes ends those of all accounts
  suspend USERNAME         ends them too, and refuses every login as if the password were wrong; content stays visible
  unsuspend USERNAME       permits logins again
  delete USERNAME --yes    deletes the account and its content for good, as DELETE /v1/account does

  --yes   confirms what cannot be undone
  --help  prints this

The server can keep running: every process notices within a second. The command connects to the database of the server's
configuration: MONGODB_URI, or else the one in DATA_DIR. It is recorded in the collection audit before it acts.

Exit code: 0 done, 1 no account has this username, 69 the database is out of reach, 78 bad arguments or configuration, 70 a
fault of the program, 130 or 143 interrupted.
`

const commands: Readonly<Record<string, AccountCommand>> = {
  show: showCommand,
  'reset-password': resetPasswordCommand,
  'reset-factors': resetFactorsCommand,
  'remove-email': removeEmailCommand,
  unlock: unlockCommand,
  'end-sessions': endSessionsCommand,
  suspend: suspendCommand,
  unsuspend: unsuspendCommand,
  delete: deleteCommand,
}

type Options = { all?: boolean | undefined; yes?: boolean | undefined }
type Order = { name: string; command: AccountCommand; username: string }

function readOrder(positionals: readonly string[], { all, yes }: Options): Order | 'end all sessions' {
  const [name = '', username, ...more] = positionals
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  const isAll = name === 'end-sessions' && all === true && username === undefined
  const isOne = username !== undefined && all !== true && more.length === 0
  if (command === undefined || !(isAll || isOne))
    throw new StartError(`Give a command and a username.\n\n${help.trimEnd()}`)
  if (isAll && yes !== true)
    throw new StartError('This ends every session of every account. Repeat the command with --yes to do it.')
  if (name === 'delete' && yes !== true)
    throw new StartError('This deletes the account for good. Repeat the command with --yes to do it.')
  return username === undefined ? 'end all sessions' : { name, command, username }
}

async function recorded(operator: Operator, name: string, account: string | null, act: () => Promise<string[]>) {
  const entry = await operator.audit.record(name, account)
  let result: 'done' | 'failed' = 'failed'
  try {
    for (const line of await act()) print(line)
    result = 'done'
  } finally {
    print(entry)
    recordCommand(name, account ?? undefined, result)
  }
}

async function run(order: Order | 'end all sessions'): Promise<number> {
  // An aborted transaction would keep documents locked for a minute, so an interrupt lets the current one finish.
  const interrupts = handleInterrupts()
  return withDatabase({ appName: 'rookery accounts' }, async ({ client, databaseName }, config) => {
    const operator = operatorOn(client, databaseName, config, interrupts.signal)
    if (order === 'end all sessions') {
      await recorded(operator, 'end-sessions --all', null, () => endAllSessions(operator))
      return interrupts.exitCode() ?? 0
    }
    const { name, command, username } = order
    const id = await operator.accounts.idOf(username)
    if (id === undefined) {
      printError(`No account has the username ${username}.`)
      recordCommand(name, undefined, 'not-found')
      return 1
    }
    await recorded(operator, name, id, () => command(operator, { id, username }))
    return interrupts.exitCode() ?? 0
  })
}

await runCli({
  help,
  args: { allowPositionals: true, options: { all: { type: 'boolean' }, yes: { type: 'boolean' } } },
  run: ({ positionals, values }) => run(readOrder(positionals, values)),
})
