import { type ParseArgsConfig, parseArgs } from 'node:util'
import { z } from 'zod'

/** The message names every invalid option, each in a sentence on a line of its own. */
export class UsageError extends Error {}

type OptionTypes = NonNullable<ParseArgsConfig['options']>

/** Values by option, and what is wrong with the command line itself. */
export type ParsedArguments = { values: Record<string, unknown>; faults: string[] }

/** Parses options of the given types and validates them with `schema`. @throws UsageError */
export function parseOptions<Schema extends z.ZodType>(
  args: string[],
  types: OptionTypes,
  schema: Schema,
): z.infer<Schema> {
  const { values, faults } = parseArguments(args, types)
  return validate(schema, values, faults)
}

/** Validates values. @throws UsageError with `faults` and every fault of the values */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  values: Record<string, unknown>,
  faults: readonly string[],
  nameOf: (message: string, option: string) => string = (message) => message,
): z.infer<Schema> {
  const checked = schema.safeParse(values)
  const issues = checked.error?.issues ?? []
  const all = [...faults, ...issues.map(({ message, path }) => nameOf(message, String(path[0])))]
  if (!checked.success || all.length > 0) throw new UsageError(all.join('\n'))
  return checked.data
}

/** Reads the command line without an end at its first fault, as `strict` of parseArgs has. */
export function parseArguments(args: string[], types: OptionTypes): ParsedArguments {
  const { tokens } = parseArgs({ args, options: types, strict: false, tokens: true })
  const values: Record<string, unknown> = {}
  const faults: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') faults.push(`Unexpected argument '${token.value}'; see --help.`)
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const type = Object.hasOwn(types, name) ? types[name] : undefined
    if (!type) faults.push(`Unknown option '${rawName}'; see --help.`)
    else if (type.type === 'boolean' && value !== undefined) faults.push(`${rawName} takes no value; see --help.`)
    else if (type.type === 'boolean') values[name] = true
    else if (value === undefined || (!inlineValue && value.length > 1 && value.startsWith('-')))
      faults.push(`${rawName} needs a value; see --help.`)
    else if (type.multiple) values[name] = [...(Array.isArray(values[name]) ? values[name] : []), value]
    else values[name] = value
  }
  return { values, faults }
}

/** A schema for an integer option from `min` to `max`; `makeDefault` is called only when the option is absent. */
export function integerOption(name: string, min: number, max: number, makeDefault: () => number) {
  return integer(name, min, max).default(makeDefault)
}

export function integer(name: string, min: number, max: number) {
  const message = `--${name} must be an integer from ${min} to ${max}.`
  return z
    .string()
    .regex(/^\d{1,16}$/, message)
    .transform(Number)
    .pipe(z.number().min(min, message).max(max, message))
}

const durations = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** A schema for a duration such as 500ms, 60s or 10m; its output is milliseconds. */
export function duration(name: string) {
  const message = `--${name} must be a duration such as 60s, 10m or 500ms.`
  return z.string().transform((text, context) => {
    const [, number, unit] = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text) ?? []
    if (number && isUnit(unit)) return Number(number) * durations[unit]
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
}

const isUnit = (unit: string | undefined): unit is keyof typeof durations => unit !== undefined && unit in durations
