import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** Names that the configuration of the original task uses, and the options that they set. */
const originalNames: Record<string, string> = {
  number_of_users: 'robots',
  max_posts_per_user: 'posts',
  max_likes_per_user: 'reactions',
}

const scalar = z.union([z.string(), z.number(), z.boolean()])
const file = z.record(z.string(), z.union([scalar, z.array(z.string())]))

/** `nameOf` gives the name under which the file sets an option. */
export type ConfigFile = { values: Record<string, unknown>; faults: string[]; nameOf: (option: string) => string }

/** Reads options from a JSON object. Every value becomes what the flag of the same name would have given. */
export function readConfigFile(path: string, types: Record<string, { type: string }>): ConfigFile {
  const names = new Map<string, string>()
  const result: ConfigFile = { values: {}, faults: [], nameOf: (option) => names.get(option) ?? option }
  const content = parseFile(path)
  if (typeof content === 'string') return { ...result, faults: [content] }
  for (const [name, value] of Object.entries(content)) {
    const option = originalNames[name] ?? name
    const type = Object.hasOwn(types, option) ? types[option]?.type : undefined
    if (!type || option === 'config') result.faults.push(`${path}: ${name} is no option; see --help.`)
    else if (names.has(option)) result.faults.push(`${path}: ${names.get(option)} and ${name} are the same option.`)
    else if ((type === 'boolean') !== (typeof value === 'boolean'))
      result.faults.push(`${path}: ${name} must ${type === 'boolean' ? '' : 'not '}be true or false.`)
    else result.values[option] = typeof value === 'number' ? String(value) : value
    if (!names.has(option)) names.set(option, name)
  }
  return result
}

/** The file's object, or a sentence that says why there is none. */
function parseFile(path: string): z.infer<typeof file> | string {
  try {
    const { data } = file.safeParse(JSON.parse(readFileSync(path, 'utf8')))
    return data ?? `--config ${path} must hold a JSON object whose values are texts, numbers, true or false.`
  } catch (error) {
    if (error instanceof SyntaxError) return `--config ${path} is not valid JSON.`
    return `--config ${path} cannot be read (${error instanceof Error && 'code' in error ? error.code : 'unknown error'}).`
  }
}
