import { StartError } from '../start-error.ts'
import { generate, list, type Options, printPublic, runRetire, runRotate, tokenLifeSeconds } from './change-keys.ts'
import { runCli } from './command.ts'

const help = `Usage: npm run keys -- generate|rotate|retire|list|public [FILE] [options]

Changes the key ring JWT_SIGN_KEYS in FILE (JWT_SIGN_KEYS_FILE), or reads it from standard input and prints the result as
JSON. It never writes to a secret manager: store what it prints there. Between pipes, use npm run --silent.

  generate   makes a ring with one key, which signs at once; FILE must be empty or absent
    --algorithm EdDSA|HS256  default: EdDSA
  rotate     adds a key that signs later
    --in SECONDS             default: 600, two of the servers' refreshes (SECRETS_REFRESH_SECONDS=300), so that every
                             server has the key before the first token is signed with it
    --algorithm EdDSA|HS256  default: that of the newest key
  retire     removes the keys that a newer one has replaced for more than ${tokenLifeSeconds} s: no token of theirs is valid any more
    --kid KID                removes this key instead, at once: its tokens become invalid, as they must after a leak
  list       shows each key's kid, algorithm, signFrom and state: signs, next, verifies, retirable
  public     prints the ring without private parts, for SERVICES=posts

  --help     prints this

Exit code: 0 done, 78 bad arguments or ring.
`

const optionNames = ['algorithm', 'in', 'kid'] as const

type Command = {
  options: readonly (typeof optionNames)[number][]
  run(file: string | undefined, options: Options): Promise<void>
}

const commands = new Map<string | undefined, Command>([
  ['generate', { options: ['algorithm'], run: generate }],
  ['rotate', { options: ['algorithm', 'in'], run: runRotate }],
  ['retire', { options: ['kid'], run: runRetire }],
  ['list', { options: [], run: list }],
  ['public', { options: [], run: printPublic }],
])

await runCli({
  help,
  args: {
    allowPositionals: true,
    options: { algorithm: { type: 'string' }, in: { type: 'string' }, kid: { type: 'string' } },
  },
  run: async ({ values, positionals }) => {
    const [name, file, ...more] = positionals
    // npm run keys retire --kid …: npm keeps the option, and the leaked key would stay.
    for (const option of optionNames) {
      if (process.env[`npm_config_${option}`])
        throw new StartError(`npm kept --${option} for itself: put -- before the command, as in npm run keys -- list`)
    }
    const command = commands.get(name)
    if (command === undefined || more.length > 0)
      throw new StartError(`Give a command and at most one FILE.\n\n${help.trimEnd()}`)
    const other = optionNames.find((option) => values[option] !== undefined && !command.options.includes(option))
    if (other !== undefined) throw new StartError(`${name} has no option --${other}: see --help.`)
    await command.run(file, values)
    return 0
  },
})
