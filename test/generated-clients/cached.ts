import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

export const run = promisify(execFile)

/**
 * What tests need from a registry, installed once for all runs into the user's cache directory.
 * @param name - with the version: another one is installed beside it
 * @param install - creates the path that it is given
 */
export async function cached(name: string, install: (path: string) => Promise<unknown>): Promise<string> {
  const path = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rookery', name)
  if (existsSync(path)) return path
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}.new`
  try {
    await install(temporary)
    // Of two runs that install at once, one finds the other's.
    await rename(temporary, path).catch((error: unknown) => {
      if (!existsSync(path)) throw error
    })
    return path
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** A virtual environment with these packages. @returns its Python */
export async function pythonWith(name: string, packages: readonly string[]): Promise<string> {
  const folder = await cached(name, async (path) => {
    await run('python3', ['-m', 'venv', path])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    await run(join(path, 'bin', 'python'), [...pip, ...packages])
  })
  // Not one of its scripts: they name the folder that the environment was created in.
  return join(folder, 'bin', 'python')
}

/** The node_modules of these packages, which need versions of their own (TypeScript 5). */
export async function npmPackages(name: string, packages: readonly string[]): Promise<string> {
  const folder = await cached(name, async (path) => {
    await mkdir(path)
    await run('npm', ['install', '--prefix', path, '--no-audit', '--no-fund', '--ignore-scripts', ...packages])
  })
  return join(folder, 'node_modules')
}
