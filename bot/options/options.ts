import { randomInt } from 'node:crypto'
import { z } from 'zod'
import { authorities } from './authorities.ts'
import { readConfigFile } from './config-file.ts'
import { parseExpectation } from './expectation.ts'
import { duration, integer, integerOption, parseArguments, validate } from './parse.ts'
import { remoteFault, serverUrl } from './server-url.ts'

export const onlyActions = ['read-post', 'read-profile', 'read-posts', 'read-timeline'] as const

const options = z.object({
  url: serverUrl.prefault('http://127.0.0.1:5000'),
  robots: integerOption('robots', 1, 10_000, () => 10),
  posts: integerOption('posts', 0, 1_000, () => 5),
  replies: integerOption('replies', 0, 1_000, () => 3),
  follows: integerOption('follows', 0, 1_000, () => 5),
  reactions: integerOption('reactions', 0, 10_000, () => 20),
  deletions: integerOption('deletions', 0, 100, () => 10),
  seed: integer('seed', 0, Number.MAX_SAFE_INTEGER).optional(),
  only: z.enum(onlyActions, `--only must be one of ${onlyActions.join(', ')}.`).optional(),
  rate: integer('rate', 1, 20_000).optional(),
  for: duration('for').optional(),
  ramp: duration('ramp').optional(),
  silence: duration('silence').optional(),
  expect: z
    .union([z.string().transform((text) => [text]), z.array(z.string())])
    .default([])
    .transform((texts, context) =>
      texts.flatMap((text) => {
        const parsed = parseExpectation(text)
        if (!('fault' in parsed)) return [parsed]
        context.addIssue({ code: 'custom', message: `--expect ${parsed.fault}` })
        return []
      }),
    ),
  json: z.string().min(1, '--json must name a file, or be -.').optional(),
  report: z.string().min(1, '--report must name a file.').optional(),
  ledger: z.string().min(1, '--ledger must name a file.').optional(),
  ca: authorities.optional(),
  alone: z.boolean().default(false),
  faults: z.boolean().default(false),
  'yes-really': z.boolean().default(false),
})

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const types = {
  ...{ url: text, robots: text, users: text, posts: text, replies: text, follows: text, reactions: text },
  ...{ deletions: text, seed: text, only: text, rate: text, for: text, ramp: text, silence: text },
  ...{
    expect: { type: 'string', multiple: true } as const,
    json: text,
    report: text,
    ledger: text,
    config: text,
    ca: text,
  },
  ...{ alone: flag, faults: flag, 'yes-really': flag, help: { type: 'boolean', short: 'h' } as const, version: flag },
} as const

export type Options = z.infer<typeof options> & { seed: number; isSeedGiven: boolean }

/** What is asked for: a run, or one of the texts, which win over any fault. */
export type Requested = { show: 'help' | 'version' } | { show: null; options: Options }

/** Parses the bot's command line. @throws UsageError that names every fault */
export function readOptions(args: string[]): Requested {
  const { values, faults } = parseArguments(args, types)
  if (values.help) return { show: 'help' }
  if (values.version) return { show: 'version' }
  const { users, config, ...flags } = values
  if (users !== undefined && flags.robots !== undefined) faults.push('--users and --robots are the same option.')
  if (users !== undefined) flags.robots ??= users
  const file = typeof config === 'string' ? readConfigFile(config, types) : null
  const given = { ...file?.values, ...flags }
  const nameOf = (message: string, option: string) => {
    const source = file && !(option in flags) ? `${config}: ${file.nameOf(option)}` : `--${option}`
    return message.replace(`--${option}`, option === 'robots' && users !== undefined ? '--users' : source)
  }
  const all = [...faults, ...(file?.faults ?? []), ...combinationFaults(given)]
  const valid = validate(options, given, all, nameOf)
  return {
    show: null,
    options: { ...valid, seed: valid.seed ?? randomInt(2 ** 32), isSeedGiven: valid.seed !== undefined },
  }
}

function combinationFaults(given: Record<string, unknown>): string[] {
  const missing = (name: string, needed: string[]) =>
    name in given && !needed.some((other) => other in given) ? [`--${name} needs --${needed.join(' or --')}.`] : []
  const url = serverUrl.safeParse(given.url).data
  const remote = url === undefined || given['yes-really'] === true ? null : remoteFault(url)
  return [
    ...(remote === null ? [] : [remote]),
    ...missing('rate', ['only', 'for']),
    ...missing('ramp', ['only', 'rate']),
    ...(given.faults === true && 'only' in given ? ['--faults and --only exclude each other.'] : []),
  ]
}
