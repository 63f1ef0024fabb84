import { CookieJar } from 'tough-cookie'
import { z } from 'zod'
import { printLine } from '../cli.ts'
import { openClients } from '../client.ts'
import { forEachConcurrent } from '../concurrency.ts'
import { History } from '../history/history.ts'
import { LedgerError, type LedgerHead, replayLedger } from '../history/ledger-file.ts'
import { authorities } from '../options/authorities.ts'
import { parseOptions, UsageError } from '../options/parse.ts'
import { remoteFault, serverUrl } from '../options/server-url.ts'
import { checkServer } from '../preflight.ts'
import { counted } from '../report/format.ts'
import { defaultRetryPolicy } from '../retry-policy.ts'
import { Stats } from '../stats.ts'
import { type AccountLeft, AccountsLeft, passwordsOf } from './accounts-left.ts'
import { deleteAccount, hasSecondFactor, type Outcome, unknownPassword } from './delete-account.ts'

const maxConcurrent = 8
const maxNamesShown = 5

const options = z.object({
  url: serverUrl.optional(),
  ca: authorities.optional(),
  'yes-really': z.boolean().default(false),
})
const types = { url: { type: 'string' }, ca: { type: 'string' }, 'yes-really': { type: 'boolean' } } as const

/**
 * `npx tsx bot clean run.ledger`: deletes the accounts that a run has left. Returns the exit code: 0 none is left, 1 some
 * are. @throws UsageError, PreflightError
 */
export async function cleanCommand(args: string[], print: (line: string) => void = printLine): Promise<number> {
  const [path, ...flags] = args
  if (path === undefined || path.startsWith('-')) throw new UsageError('clean needs the path of one ledger.')
  const { url, ca, 'yes-really': isRemoteMeant } = parseOptions(flags, types, options)
  const { head, accounts } = readAccounts(path)
  const server = url ?? serverUrl.safeParse(head.url).data
  if (!server) throw new UsageError(`${path} does not say which server it is about: name it with --url.`)
  const fault = isRemoteMeant ? null : remoteFault(server)
  if (fault) throw new UsageError(fault)

  const base = await checkServer(server, ca)
  const open = openClients({
    ...{ base, ca, retryPolicy: defaultRetryPolicy, stats: new Stats(), history: new History() },
    ...{ stop: new AbortController().signal, onUnresponsive: () => {} },
  })
  const outcomes = new Map<string, Outcome>()
  await forEachConcurrent(accounts, maxConcurrent, async (account) => {
    const passwords = head.isSeedGiven ? passwordsOf(head.seed, account) : []
    outcomes.set(
      account.username,
      await deleteAccount(open(account.robot, new CookieJar()), account.username, passwords),
    )
  })
  for (const line of describe(outcomes)) print(line)
  return [...outcomes.values()].some((outcome) => typeof outcome === 'object') ? 1 : 0
}

function readAccounts(path: string): { head: LedgerHead; accounts: AccountLeft[] } {
  const left = new AccountsLeft()
  try {
    return { head: replayLedger(path, () => left), accounts: left.accounts }
  } catch (error) {
    if (error instanceof LedgerError) throw new UsageError(error.message)
    throw error
  }
}

function describe(outcomes: ReadonlyMap<string, Outcome>): string[] {
  const all = [...outcomes]
  const count = (wanted: Outcome) => all.filter(([, outcome]) => outcome === wanted).length
  const gone = count('gone before')
  const lines = [
    `deleted ${counted(count('deleted'), 'account')} of the run${gone ? `; ${gone} more were gone before` : ''}`,
  ]
  const reasons = Map.groupBy(all, ([, outcome]) => (typeof outcome === 'object' ? outcome.left : null))
  for (const [reason, left] of reasons) {
    if (reason === null) continue
    const names = left.slice(0, maxNamesShown).map(([username]) => username)
    const more = left.length > names.length ? `, and ${left.length - names.length} more` : ''
    lines.push(`left ${counted(left.length, 'account')}, because ${reason}: ${names.join(', ')}${more}.`)
    if (reason === unknownPassword)
      lines.push(
        'Passwords are in no ledger; those of a run with --seed follow from its seed, so that clean can log in.',
        'The operator can delete an account with "npm run accounts -- delete USERNAME --yes".',
      )
    if (reason === hasSecondFactor)
      lines.push(
        'A robot removes its second factor when it leaves, and these were ended before; its codes are in no ledger.',
        'The operator can remove one with "npm run accounts -- reset-factors USERNAME"; then clean can log in.',
      )
  }
  return lines
}
