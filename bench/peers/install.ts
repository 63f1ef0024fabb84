import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type CommandResult, runCommand } from '../../src/embedded-mongod/run-command.ts'

/** The message is one sentence that says what a peer lacks. */
export class PeerUnavailable extends Error {}

/** What a peer is made from: files of its folder, which name every version. */
export type Recipe = {
  folder: string
  sources: readonly string[]
  /** Makes what the sources need in `target`. */
  build(target: string): Promise<void>
}

const timeoutMs = 15 * 60_000

/**
 * Runs a tool of another language's world.
 * @throws PeerUnavailable if it is missing or fails
 */
export async function runTool(tool: string, args: string[], advice: string): Promise<CommandResult> {
  const result = await runCommand(tool, args, timeoutMs)
  if (!result) throw new PeerUnavailable(`${tool} is missing: ${advice}`)
  if (result.code === 0) return result
  const lastLine = result.output.trim().split('\n').at(-1)
  throw new PeerUnavailable(`${tool} ${args[0]} failed (${lastLine}): ${advice}`)
}

/**
 * Makes what a peer needs, once for each version of its sources, in the user's cache directory.
 * @returns the directory
 * @throws PeerUnavailable if a tool is missing or fails
 */
export async function install(
  { folder, sources, build }: Recipe,
  name: string,
  cacheDir = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rookery'),
): Promise<string> {
  const hash = createHash('sha256')
  for (const source of sources) hash.update(await readFile(join(folder, source)))
  const target = join(cacheDir, `bench-${name}-${hash.digest('hex').slice(0, 16)}`)
  const isThere = () =>
    access(target).then(
      () => true,
      () => false,
    )
  if (await isThere()) return target

  const unfinished = `${target}.${process.pid}.new`
  await mkdir(unfinished, { recursive: true })
  try {
    await build(unfinished)
    await rename(unfinished, target)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    // A run at the same time was faster.
    if (!(await isThere())) throw error
  }
  return target
}
