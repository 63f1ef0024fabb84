import { type ParseArgsConfig, parseArgs } from 'node:util'
import { interruptedExitCodes, onShutdownSignal, type ShutdownSignal } from '../shutdown-signal.ts'
import { exitCodeOf, StartError, toErrorText } from '../start-error.ts'
import { outliveClosedPipes } from './closed-pipe.ts'

export const print = (line: string) => void process.stdout.write(`${line}\n`)
export const printError = (line: string) => void process.stderr.write(`${line}\n`)

type Parsed<Config extends ParseArgsConfig> = ReturnType<typeof parseArgs<Config>>

export type Command<Config extends ParseArgsConfig> = {
  help: string
  args: Config
  run(parsed: Parsed<Config>): Promise<number>
}

/** Runs an operator's command with the arguments of this process; a StartError is printed without its stack. */
export async function runCli<const Config extends ParseArgsConfig>(command: Command<Config>): Promise<void> {
  outliveClosedPipes()
  try {
    const parsed = parseArguments(command.args)
    if (parsed === 'help') print(command.help.trimEnd())
    else process.exitCode = await command.run(parsed)
  } catch (error) {
    printError(toErrorText(error))
    process.exitCode = exitCodeOf(error)
  }
}

function parseArguments<const Config extends ParseArgsConfig>(config: Config): Parsed<Config> | 'help' {
  try {
    const parsed = parseArgs({ ...config, options: { ...config.options, help: { type: 'boolean' } } })
    const { help } = parsed.values as { help?: boolean }
    return help ? 'help' : (parsed as Parsed<Config>)
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)
    throw new StartError(`${sentence}: see --help.`)
  }
}

type FileCommand = {
  help: string
  /** What is said when an interrupt has ended it. */
  interrupted: string
  run(path: string, signal: AbortSignal): Promise<number>
}

/** Runs a command whose only argument is a file. The first interrupt aborts the signal, and decides the exit code. */
export const runFileCommand = ({ help, interrupted, run }: FileCommand): Promise<void> =>
  runCli({
    help,
    args: { allowPositionals: true },
    async run({ positionals: [path, ...more] }) {
      if (path === undefined || more.length > 0) throw new StartError('Name one file: see --help.')
      const interrupts = handleInterrupts()
      try {
        const code = await run(path, interrupts.signal)
        return interrupts.exitCode() ?? code
      } catch (error) {
        const exitCode = interrupts.exitCode()
        if (exitCode === null) throw error
        printError(interrupted)
        return exitCode
      }
    },
  })

/** The first SIGINT or SIGTERM aborts `signal`, and a second one exits the process. */
export function handleInterrupts(): { signal: AbortSignal; exitCode(): number | null } {
  const controller = new AbortController()
  let exitCode: number | null = null
  const interrupt = (signal: ShutdownSignal) => {
    exitCode = interruptedExitCodes[signal]
    controller.abort()
  }
  onShutdownSignal(interrupt, (signal) => process.exit(interruptedExitCodes[signal]))
  return { signal: controller.signal, exitCode: () => exitCode }
}
