import { randomInt } from 'node:crypto'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { z } from 'zod'

/** The message is one sentence that names the invalid option. */
export class UsageError extends Error {}

export const help = `Usage: npx tsx bot [options]

Robots sign up, post, reply, follow, react, read their timelines and delete posts and accounts. Then the bot reads
everything back and compares it with what the server acknowledged.

  --url <url>        server (default http://127.0.0.1:5000)
  --users <n>        robots, 1 to 10000 (default 10)
  --posts <n>        posts per robot, 0 to 1000 (default 5)
  --replies <n>      replies per robot, 0 to 1000 (default 3)
  --follows <n>      follows and unfollows per robot, 0 to 1000 (default 5)
  --reactions <n>    reactions per robot, 0 to 10000 (default 20)
  --deletions <n>    percentage of posts and of accounts to delete, 0 to 100 (default 10)
  --seed <n>         repeat the texts and actions of an earlier run, with names and passwords that follow from the seed
                     (default: random, printed, with random names and passwords)
  --yes-really       allow a server on another machine
  --help             show this help

Exit code: 0 every action succeeded and the ledger agrees, 1 otherwise, 2 invalid options or no server, 130 interrupted.
`

const options = z.object({
  url: z.string().default('http://127.0.0.1:5000').transform(serverUrl),
  users: integerOption('users', 1, 10_000, () => 10),
  posts: integerOption('posts', 0, 1_000, () => 5),
  replies: integerOption('replies', 0, 1_000, () => 3),
  follows: integerOption('follows', 0, 1_000, () => 5),
  reactions: integerOption('reactions', 0, 10_000, () => 20),
  deletions: integerOption('deletions', 0, 100, () => 10),
  seed: integer('seed', 0, Number.MAX_SAFE_INTEGER).optional(),
  'yes-really': z.boolean().default(false),
  help: z.boolean().default(false),
})

const types = {
  url: { type: 'string' },
  users: { type: 'string' },
  posts: { type: 'string' },
  replies: { type: 'string' },
  follows: { type: 'string' },
  reactions: { type: 'string' },
  deletions: { type: 'string' },
  seed: { type: 'string' },
  'yes-really': { type: 'boolean' },
  help: { type: 'boolean' },
} as const

export type Options = z.infer<typeof options> & { seed: number; isSeedGiven: boolean }

/** Parses the bot's command line. @throws UsageError, also for a URL on another machine without --yes-really */
export function readOptions(args: string[]): Options {
  const values = parseOptions(args, types, options)
  const { url, help: helpRequested, 'yes-really': remoteAllowed } = values
  if (!helpRequested && !remoteAllowed && !isLoopback(url))
    throw new UsageError(`--url ${url.origin} is another machine; add --yes-really to send the robots there.`)
  const { seed } = values
  return { ...values, seed: seed ?? randomInt(2 ** 32), isSeedGiven: seed !== undefined }
}

/** Whether the host is localhost, in 127.0.0.0/8, or [::1]. */
export function isLoopback(url: URL): boolean {
  // The URL parser normalizes 127.1, 0x7f000001 and [0:0:0:0:0:0:0:1] to these forms.
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
}

/** Parses options of the given types and validates them with `schema`. @throws UsageError */
export function parseOptions<Schema extends z.ZodType>(
  args: string[],
  types: NonNullable<ParseArgsConfig['options']>,
  schema: Schema,
): z.infer<Schema> {
  const checked = schema.safeParse(parseValues(args, types))
  if (!checked.success) throw new UsageError(checked.error.issues[0]?.message)
  return checked.data
}

function parseValues(args: string[], types: NonNullable<ParseArgsConfig['options']>): unknown {
  try {
    return parseArgs({ args, options: types }).values
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)
    throw new UsageError(
      `${sentence?.replace(/ argument is ambiguous| argument missing/, ' needs a value')}; see --help.`,
    )
  }
}

/** A schema for an integer option from `min` to `max`; `makeDefault` is called only when the option is absent. */
export function integerOption(name: string, min: number, max: number, makeDefault: () => number) {
  return integer(name, min, max).default(makeDefault)
}

function integer(name: string, min: number, max: number) {
  const message = `--${name} must be an integer from ${min} to ${max}.`
  return z
    .string()
    .regex(/^\d{1,16}$/, message)
    .transform(Number)
    .pipe(z.number().min(min, message).max(max, message))
}

function serverUrl(text: string, context: z.RefinementCtx): URL {
  const reject = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (!URL.canParse(text)) return reject('--url must be a URL such as http://127.0.0.1:5000.')
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return reject('--url must start with http:// or https://.')
  if (url.username || url.password) return reject('--url must not contain credentials: the robots sign up themselves.')
  // A path may come with a copied address, such as that of the API page: Rookery is at the root of its origin.
  return new URL(url.origin)
}
