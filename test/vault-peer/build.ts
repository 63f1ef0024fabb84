import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../src/embedded-mongod/run-command.ts'

const advice = 'The Vault server of the tests is built with Go 1.22 or later: install it (https://go.dev/dl/).'
const buildTimeoutMs = 220_000
const folder = import.meta.dirname

/**
 * Builds the Vault server of the tests, once for each version of its source: 30 s.
 * @returns the path of the program, in the user's cache directory
 * @throws Error if Go is missing or too old, or if the build fails
 */
export async function buildVaultPeer(): Promise<string> {
  const hash = createHash('sha256')
  for (const name of ['go.mod', 'go.sum', 'main.go']) hash.update(await readFile(join(folder, name)))
  const cacheDir = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rookery')
  const program = join(cacheDir, `vault-peer-${hash.digest('hex').slice(0, 16)}`)
  if (await stat(program).catch(() => undefined)) return program

  const [, minor = '0'] = /go1\.(\d+)/.exec((await runCommand('go', ['version'], 30_000))?.output ?? '') ?? []
  if (Number(minor) < 22) throw new Error(advice)
  await mkdir(cacheDir, { recursive: true })
  const built = `${program}.${process.pid}.new`
  const settings = ['GOFLAGS=-buildvcs=false', 'CGO_ENABLED=0']
  const build = ['build', '-C', folder, '-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', built, '.']
  const result = await runCommand('/usr/bin/env', [...settings, 'go', ...build], buildTimeoutMs)
  if (result?.code !== 0) throw new Error(`The Vault server of the tests cannot be built:\n${result?.output}`)
  // Concurrent builds replace each other's program by the same one.
  await rename(built, program)
  return program
}
